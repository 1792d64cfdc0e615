#include "edge/plugin_store.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <hostler/plugin.h>

#include "edge/disk_error.h"
#include "edge/elf_file.h"
#include "edge/plugin_inspection.h"
#include "edge/text_file.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

// A file that has not changed for so long is taken to be whole, if it looks whole.
constexpr auto kQuiet = std::chrono::milliseconds(100);
// How long a file may look cut short after its last change, and how long it may go on changing.
constexpr auto kStalled = std::chrono::seconds(1);
constexpr auto kPatience = std::chrono::seconds(5);
constexpr auto kBetweenLooksAtFile = std::chrono::milliseconds(20);

// The first line of cached facts: another host's are not trusted.
std::string facts_heading() {
  return fmt::format("hostler {} ABI {}.{}\n", HOSTLER_VERSION, HOSTLER_ABI_MAJOR, HOSTLER_ABI_MINOR);
}

class Sha256 {
 public:
  Sha256() { sha256_init(&context_); }
  void add(std::string_view bytes) {
    sha256_update(&context_, bytes.size(), reinterpret_cast<const std::uint8_t *>(bytes.data()));
  }
  [[nodiscard]] std::string hex() {
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
    sha256_digest(&context_, digest.size(), digest.data());
    std::string text;
    for (const std::uint8_t byte : digest) text += fmt::format("{:02x}", byte);
    return text;
  }

 private:
  sha256_ctx context_{};
};

constexpr std::string_view kWorkshop = ".new-";

// A folder in the store that is removed again unless its files have moved on.
class Workshop {
 public:
  static Result<Workshop> make(const std::string &store_dir) {
    static std::atomic<int> number{0};
    const std::string path = fmt::format("{}/{}{}-{}", store_dir, kWorkshop, ::getpid(), ++number);
    std::error_code error;
    fs::remove_all(path, error);  // of a host that died, and whose pid is ours now
    if (::mkdir(path.c_str(), 0700) != 0) return errno_error(errno, path, "cannot be made");
    return Workshop(path);
  }
  Workshop(Workshop &&other) noexcept : path_(std::exchange(other.path_, {})) {}
  Workshop &operator=(Workshop &&) = delete;
  Workshop(const Workshop &) = delete;
  Workshop &operator=(const Workshop &) = delete;
  ~Workshop() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string &path() const { return path_; }

 private:
  explicit Workshop(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

// Reads all of `from`, into `to` unless that is -1. The hash is of the bytes that were read.
Result<std::string> hash_and_copy(int from, int to, const std::string &to_path) {
  Sha256 hash;
  std::vector<char> buffer(std::size_t{1} << 18);
  off_t offset = 0;
  while (true) {
    const ssize_t size = ::pread(from, buffer.data(), buffer.size(), offset);
    if (size < 0) return errno_error(errno, {}, "cannot be read");
    if (size == 0) return hash.hex();
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
    hash.add(bytes);
    if (to >= 0 && !write_all(to, bytes)) return errno_error(errno, {}, "cannot write " + to_path);
    offset += size;
  }
}

// A plugin, or a library of its own, on its way into the store.
struct Copied {
  std::string hash;
  std::vector<std::string> needed;
  Sight sight;
};

enum class Fault { Unstable, Final };  // Unstable: may be right a moment later
using Attempt = tl::expected<Copied, std::pair<Fault, Error>>;

tl::unexpected<std::pair<Fault, Error>> refuse(Fault fault, Error error) {
  return tl::unexpected(std::pair(fault, std::move(error)));
}

tl::unexpected<std::pair<Fault, Error>> refuse_errno(std::string_view what) {
  return refuse(Fault::Final, errno_error(errno, {}, what).value());
}

// Copies a file that holds still and is a whole shared object. The copy is what is judged: it cannot change.
Attempt try_copy(const std::string &from, const std::string &to) {
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat before {};
  if (!source || ::fstat(source.get(), &before) != 0) return refuse_errno("");
  if (!S_ISREG(before.st_mode)) return refuse(Fault::Final, {{}, "is not a regular file", {}});
  const auto quiet = age(before);
  if (quiet >= std::chrono::nanoseconds::zero() && quiet < kQuiet)
    return refuse(Fault::Unstable, {{}, "is still being written", "try again when it is complete"});

  const UniqueFd target(::open(to.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!target) return refuse_errno("cannot create " + to);
  auto hash = hash_and_copy(source.get(), target.get(), to);
  if (!hash) return refuse(Fault::Final, hash.error());
  struct stat after {};
  if (::stat(from.c_str(), &after) != 0 || !is_same_file(before, after))
    return refuse(Fault::Unstable, {{}, "changes while it is being copied", "try again when it is complete"});
  auto elf = read_elf(target.get());
  if (!elf) {
    const bool may_grow = elf.error().cut_short && age(before) < kStalled;
    return refuse(may_grow ? Fault::Unstable : Fault::Final, {{}, elf.error().what, {}});
  }
  return Copied{*hash, std::move(elf->needed), {from, before, quiet}};
}

Result<Copied> copy_when_whole(const std::string &from, const std::string &to) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    auto copied = try_copy(from, to);
    if (copied) return *copied;
    const auto &[fault, error] = copied.error();
    const bool again = fault == Fault::Unstable && std::chrono::steady_clock::now() < deadline;
    if (!again) return tl::unexpected(Error{from, error.what, error.hint, error.may_pass});
    std::this_thread::sleep_for(kBetweenLooksAtFile);
  }
}

struct Copy {
  std::string plugin_hash;                       // sha256 of the plugin's own file
  std::map<std::string, std::string> libraries;  // of its own, beside it: file name, hash
  std::vector<Sight> sights;                     // all that it depended on
};

// The plugin and, again and again, what it is linked with and lies beside it.
Result<Copy> copy_all(const fs::path &plugin, const std::string &into) {
  auto copied = copy_when_whole(plugin, into + "/" + plugin.filename().string());
  if (!copied) return tl::unexpected(copied.error());
  Copy copy{copied->hash, {}, {std::move(copied->sight)}};
  std::vector<std::string> open = copied->needed;
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    std::error_code error;
    const fs::path beside = plugin.parent_path() / name;
    const bool plain = name.find('/') == std::string::npos && name != plugin.filename() && !name.empty();
    if (!plain || copy.libraries.contains(name)) continue;
    if (!fs::is_regular_file(beside, error)) {
      copy.sights.emplace_back(beside);
      continue;
    }
    auto library = copy_when_whole(beside, fmt::format("{}/{}", into, name));
    if (!library) return tl::unexpected(library.error());
    copy.libraries.emplace(name, library->hash);
    copy.sights.push_back(std::move(library->sight));
    open.insert(open.end(), library->needed.begin(), library->needed.end());
  }
  return copy;
}

// The plugin's own hash, or one over it and all its libraries.
std::string build_hash(const Copy &copy) {
  if (copy.libraries.empty()) return copy.plugin_hash;
  Sha256 hash;
  hash.add(copy.plugin_hash);
  for (const auto &[name, library] : copy.libraries) hash.add(fmt::format("\n{} {}", library, name));
  return hash.hex();
}

Result<void> make_folder(const std::string &path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return errno_error(error.value(), path, "cannot be made");
  // Whatever the umask: workers of another user load from here.
  if (::chmod(path.c_str(), 0755) != 0) return errno_error(errno, path, "");
  return {};
}

// A file or a folder, for everybody to read and on the disk.
Result<void> publish(const std::string &path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd && ::fchmod(fd.get(), 0755) == 0 && ::fsync(fd.get()) == 0) return {};
  return errno_error(errno, path, "");
}

// The plugin last: where it stands, its build is complete.
Result<void> move_all(const Copy &copy, const std::string &name, const std::string &from, const std::string &to) {
  if (auto made = make_folder(to); !made) return made;
  std::vector<std::string> names;
  for (const auto &[library, hash] : copy.libraries) names.push_back(library);
  names.push_back(name);
  for (const std::string &each : names) {
    const std::string source = fmt::format("{}/{}", from, each);
    const std::string target = fmt::format("{}/{}", to, each);
    if (auto published = publish(source); !published) return published;
    if (::rename(source.c_str(), target.c_str()) != 0) return errno_error(errno, target, "");
  }
  if (auto published = publish(to); !published) return published;
  return publish(fs::path(to).parent_path());
}

Result<void> check_executable(const std::string &store_dir) {
  struct statvfs status {};
  if (::statvfs(store_dir.c_str(), &status) != 0 || (status.f_flag & ST_NOEXEC) == 0) return {};
  return fail(store_dir, "is on a filesystem mounted noexec, so no plugin can be loaded from there",
              "set host.state to a folder on another filesystem");
}

std::string facts_file(const std::string &library) {
  return library + ".facts";
}

Result<PluginFacts> cached_facts(const std::string &library) {
  const std::string text = read_text(facts_file(library));
  const std::string heading = facts_heading();
  if (!text.starts_with(heading)) return fail({}, "not inspected yet");
  return parse_facts(std::string_view(text).substr(heading.size()));
}

// Losing the cache costs one more inspection, so nothing depends on its being written.
void cache_facts(const std::string &library, const PluginFacts &facts, const std::string &workshop) {
  const std::string path = workshop + "/facts";
  std::ofstream(path) << facts_heading() << format_facts(facts);
  ::rename(path.c_str(), facts_file(library).c_str());
}

// The loader's words begin with the plugin's file name, the error's place is its path.
std::string without_prefix(const std::string &text, const std::string &prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

// A library that lies beside the plugin and is not found there.
std::string hint_for(const Error &error, const std::map<std::string, std::string> &beside) {
  for (const auto &[name, hash] : beside)
    if (error.what.starts_with(name + ": cannot open shared object file"))
      return "it lies beside the plugin; link what needs it with -Wl,-rpath,'$ORIGIN'";
  return error.hint;
}

Result<void> check_pin(const std::string &plugin, const std::string &pin, const std::string &hash) {
  if (pin.empty() || pin == hash) return {};
  return fail(plugin, fmt::format("has sha256 {}, pinned is {}", hash, pin),
              "correct sha256: if the new file is the one you want");
}

}  // namespace

PluginStore::PluginStore(std::string store_dir, std::string binary, Duration time_limit)
    : store_dir_(std::move(store_dir)),
      binary_(std::move(binary)),
      time_limit_(time_limit),
      known_(std::make_unique<KnownBuilds>()) {}

void PluginStore::clear_workshops() const {
  std::error_code error;
  std::vector<fs::path> left;
  for (fs::directory_iterator each(store_dir_, error), end; !error && each != end; each.increment(error))
    if (each->path().filename().string().starts_with(kWorkshop)) left.push_back(each->path());
  for (const fs::path &each : left) fs::remove_all(each, error);
}

Result<Build> PluginStore::add(const std::string &plugin, const std::string &sha256_pin,
                               const std::optional<User> &user, const std::stop_token &stop) const {
  if (auto made = make_folder(store_dir_); !made) return tl::unexpected(made.error());
  if (auto executable = check_executable(store_dir_); !executable) return tl::unexpected(executable.error());
  if (auto known = known_->find(plugin)) {
    if (auto pinned = check_pin(plugin, sha256_pin, known->plugin_hash); !pinned) return tl::unexpected(pinned.error());
    return std::move(known->build);
  }
  const auto workshop = Workshop::make(store_dir_);
  if (!workshop) return tl::unexpected(workshop.error());

  const std::string name = fs::path(plugin).filename();
  auto copy = copy_all(plugin, workshop->path());
  if (!copy) return tl::unexpected(copy.error());
  if (auto pinned = check_pin(plugin, sha256_pin, copy->plugin_hash); !pinned) return tl::unexpected(pinned.error());

  Build build;
  build.hash = build_hash(*copy);
  const std::string folder = store_dir_ + "/" + build.hash;
  build.library = folder + "/" + name;
  if (::access(build.library.c_str(), F_OK) != 0)
    if (auto moved = move_all(*copy, name, workshop->path(), folder); !moved) return tl::unexpected(moved.error());

  auto facts = cached_facts(build.library);
  if (!facts) {
    facts = inspect_plugin(binary_, build.library, user, time_limit_, stop);
    if (!facts)
      return tl::unexpected(Error{plugin, without_prefix(facts.error().what, name + ": "),
                                  hint_for(facts.error(), copy->libraries), facts.error().may_pass});
    cache_facts(build.library, *facts, workshop->path());
  }
  build.id = facts->id;
  build.version = facts->version;
  build.abi = facts->abi;
  build.flags = facts->flags;
  build.state_version = facts->state_version;
  build.has_merge = facts->has_merge;
  known_->remember(plugin, {std::move(copy->plugin_hash), build, std::move(copy->sights)});
  return build;
}

}  // namespace hostler
