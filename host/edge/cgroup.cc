#include "edge/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "core/hash.h"
#include "core/time.h"
#include "edge/text_file.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kControllers{"memory", "cpu", "pids"};
constexpr std::string_view kHostLeaf = "hostler-host";
// What is killed in a cgroup is gone at once, unless the kernel does not let it.
constexpr Duration kForTheDead = std::chrono::seconds(2);
constexpr auto kBetweenLooks = std::chrono::milliseconds(2);
constexpr int kMoves = 10;  // rounds until nothing new has been forked meanwhile

std::vector<std::string> words_of(const std::string &text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

bool contains(const std::vector<std::string> &words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

Result<void> write_text(const std::string &path, const std::string &text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return fail(path, fmt::format("cannot take \"{}\": {}", text, std::strerror(errno)));
}

bool is_cgroup(const std::string &path) {
  struct statfs status {};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

// The only one that may have both processes and children with controllers.
bool is_root(const std::string &cgroup) {
  return ::access((cgroup + "/cgroup.type").c_str(), F_OK) != 0;
}

struct Mount {
  std::string point;
  std::string root;  // what of the hierarchy is mounted there
};

// "36 35 0:31 ROOT POINT rw,… shared:1 - cgroup2 cgroup2 rw"
std::optional<Mount> find_mount(const std::string &mountinfo) {
  std::ifstream file(mountinfo);
  constexpr std::size_t kRoot = 3;
  constexpr std::size_t kPoint = 4;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> words = words_of(line);
    const auto dash = std::ranges::find(words, "-");
    if (dash == words.end() || dash + 1 == words.end() || *(dash + 1) != "cgroup2" || words.size() <= kPoint) continue;
    return Mount{words[kPoint], words[kRoot]};
  }
  return std::nullopt;
}

// "0::/system.slice/hostler.service"
std::optional<std::string> own_path(const std::string &own) {
  std::ifstream file(own);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("0::/")) return line.substr(3);
  return std::nullopt;
}

bool is_our_program(const std::string &pid) {
  struct stat own {};
  struct stat other {};
  return ::stat("/proc/self/exe", &own) == 0 && ::stat(fmt::format("/proc/{}/exe", pid).c_str(), &other) == 0 &&
         own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

std::string name_of(const std::string &pid) {
  std::string name = read_text(fmt::format("/proc/{}/comm", pid));
  if (name.ends_with('\n')) name.pop_back();
  return fmt::format("{} ({})", pid, name);
}

// A process in BASE that is not of hostler, in words; or nothing. In a root they do not matter.
std::string stranger_in(const std::string &base) {
  if (is_root(base)) return {};
  for (const std::string &pid : words_of(read_text(base + "/cgroup.procs")))
    if (!is_our_program(pid)) return pid == "0" ? "a process of another namespace" : name_of(pid);
  return {};
}

CgroupPlace nowhere(std::string why) {
  return {{}, {}, std::move(why)};
}

void kill_all_in(const std::string &cgroup) {
  if (write_text(cgroup + "/cgroup.kill", "1")) return;
  // Before Linux 5.14. What forks meanwhile is found by the next look.
  for (const std::string &pid : words_of(read_text(cgroup + "/cgroup.procs"))) ::kill(std::stoi(pid), SIGKILL);
}

bool is_populated(const std::string &cgroup) {
  return read_text(cgroup + "/cgroup.events").find("populated 1") != std::string::npos;
}

void clear(const std::string &cgroup) {
  const auto deadline = std::chrono::steady_clock::now() + kForTheDead;
  while (is_populated(cgroup) && std::chrono::steady_clock::now() < deadline) {
    kill_all_in(cgroup);
    std::this_thread::sleep_for(kBetweenLooks);
  }
  ::rmdir(cgroup.c_str());
}

// Kills all that lives there, and removes it as far as that has worked.
void clear_fleet(const std::string &folder) {
  std::error_code error;
  std::vector<std::string> cgroups;
  for (fs::directory_iterator each(folder, error), end; !error && each != end; each.increment(error))
    if (each->is_directory(error)) cgroups.push_back(each->path());
  for (const std::string &cgroup : cgroups) kill_all_in(cgroup);  // all at once, then one by one
  for (const std::string &cgroup : cgroups) clear(cgroup);
  ::rmdir(folder.c_str());
}

// Where controllers are to be given to children, no process may be: ours move into a leaf.
Result<void> move_out_of(const std::string &base) {
  if (read_text(base + "/cgroup.procs").empty()) return {};
  const std::string leaf = fmt::format("{}/{}", base, kHostLeaf);
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return fail(leaf, std::strerror(errno));
  for (int move = 0; move < kMoves; ++move) {
    const std::vector<std::string> pids = words_of(read_text(base + "/cgroup.procs"));
    if (pids.empty()) return {};
    for (const std::string &pid : pids)
      if (auto moved = write_text(leaf + "/cgroup.procs", pid); !moved && move + 1 == kMoves) return moved;
  }
  return {};
}

Result<void> enable(const std::string &cgroup, const std::vector<std::string> &controllers) {
  const std::vector<std::string> enabled = words_of(read_text(cgroup + "/cgroup.subtree_control"));
  std::string missing;
  for (const std::string &each : controllers)
    if (!contains(enabled, each)) missing += (missing.empty() ? "+" : " +") + each;
  if (missing.empty()) return {};
  if (!is_root(cgroup))
    if (auto moved = move_out_of(cgroup); !moved) return moved;
  return write_text(cgroup + "/cgroup.subtree_control", missing);
}

}  // namespace

bool CgroupPlace::has(const std::string &controller) const {
  return contains(controllers, controller);
}

CgroupPlace find_cgroup_place(const std::string &mountinfo, const std::string &own) {
  const auto mount = find_mount(mountinfo);
  if (!mount) return nowhere("no cgroup v2 is mounted");
  auto path = own_path(own);
  if (!path) return nowhere("this process is in no cgroup v2");
  if (mount->root != "/") {
    if (!(*path + "/").starts_with(mount->root + "/")) return nowhere("the host's cgroup is not below " + mount->point);
    path->erase(0, mount->root.size());
  }
  if (path->starts_with("/..")) return nowhere("the host's cgroup is not below " + mount->point);
  if (path->ends_with(fmt::format("/{}", kHostLeaf))) path->resize(path->size() - kHostLeaf.size() - 1);
  CgroupPlace place;
  place.base = mount->point + (*path == "/" ? "" : *path);
  for (const char *file : {"", "/cgroup.procs", "/cgroup.subtree_control"})
    if (::faccessat(AT_FDCWD, (place.base + file).c_str(), W_OK, AT_EACCESS) != 0)
      return nowhere(fmt::format("the host's cgroup {} cannot be written to: {}", place.base, std::strerror(errno)));
  const std::vector<std::string> there = words_of(read_text(place.base + "/cgroup.controllers"));
  std::string missing;
  for (const std::string_view each : kControllers) {
    if (contains(there, each))
      place.controllers.emplace_back(each);
    else
      missing += fmt::format("{}{}", missing.empty() ? "" : ", ", each);
  }
  if (!missing.empty())
    place.lacks = fmt::format("the host's cgroup {} has no controllers for {}", place.base, missing);
  const std::vector<std::string> enabled = words_of(read_text(place.base + "/cgroup.subtree_control"));
  const bool all_enabled =
      std::ranges::all_of(place.controllers, [&](const auto &each) { return contains(enabled, each); });
  if (const std::string stranger = all_enabled ? "" : stranger_in(place.base); !stranger.empty()) {
    place.controllers.clear();
    place.lacks = fmt::format("the host shares its cgroup {} with others, such as {}", place.base, stranger);
  }
  return place;
}

WorkerCgroup::~WorkerCgroup() {
  ::rmdir(path_.c_str());
}

Result<void> WorkerCgroup::limit(const Limits &limits) const {
  Result<void> done;
  if (limits.memory >= 0) {
    done = write_text(path_ + "/memory.max", std::to_string(limits.memory));
    if (done) done = write_text(path_ + "/memory.oom.group", "1");  // a worker dies whole
    const std::string swap = path_ + "/memory.swap.max";            // not there without swap
    if (done && ::access(swap.c_str(), F_OK) == 0) done = write_text(swap, "0");
  }
  if (done && limits.processes >= 0) done = write_text(path_ + "/pids.max", std::to_string(limits.processes));
  if (done && limits.cpu >= 0) done = write_text(path_ + "/cpu.max", fmt::format("{} {}", limits.cpu, kCpuPeriod));
  return done;
}

Result<void> WorkerCgroup::take(pid_t pid) const {
  return write_text(path_ + "/cgroup.procs", std::to_string(pid));
}

void WorkerCgroup::kill() const {
  kill_all_in(path_);
}

bool WorkerCgroup::is_populated() const {
  return hostler::is_populated(path_);
}

bool WorkerCgroup::ran_out_of_memory() const {
  const std::vector<std::string> events = words_of(read_text(path_ + "/memory.events"));
  const auto count = std::ranges::find(events, "oom_kill");
  return count != events.end() && count + 1 != events.end() && *(count + 1) != "0";
}

// The file names where the fleet's cgroups are: a host that is started from elsewhere may have others.
FleetCgroups::FleetCgroups(std::string state_dir) : state_dir_(std::move(state_dir)) {
  std::string former = read_text(state_dir_ + "/cgroup");
  if (former.ends_with('\n')) former.pop_back();
  if (former.starts_with('/') && is_cgroup(former)) clear_fleet(former);
  ::unlink((state_dir_ + "/cgroup").c_str());
}

FleetCgroups::~FleetCgroups() {
  if (folder_.empty()) return;
  clear_fleet(folder_);
  ::unlink((state_dir_ + "/cgroup").c_str());
}

Result<void> FleetCgroups::prepare() {
  if (!folder_.empty()) return {};
  const CgroupPlace place = find_cgroup_place();
  if (!place.usable()) return fail({}, place.lacks);
  if (auto enabled = enable(place.base, place.controllers); !enabled) return enabled;
  const std::string folder = fmt::format("{}/hostler-{:016x}", place.base, fnv1a(state_dir_));
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return fail(folder, std::strerror(errno));
  // Written before anything is in it, so that none is ever forgotten.
  std::ofstream(state_dir_ + "/cgroup") << folder << '\n';
  folder_ = folder;
  return enable(folder, place.controllers);
}

Result<std::unique_ptr<WorkerCgroup>> FleetCgroups::add(const std::string &name, const Limits &limits, pid_t pid) {
  if (auto prepared = prepare(); !prepared) return tl::unexpected(prepared.error());
  const std::string path = folder_ + "/" + name;
  if (::mkdir(path.c_str(), 0755) != 0) return fail(path, std::strerror(errno));
  auto cgroup = std::make_unique<WorkerCgroup>(path);
  if (auto limited = cgroup->limit(limits); !limited) return tl::unexpected(limited.error());
  if (auto taken = cgroup->take(pid); !taken) return tl::unexpected(taken.error());
  return cgroup;
}

}  // namespace hostler
