#include "edge/pidfile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "edge/disk_error.h"
#include "edge/lasting_folder.h"
#include "edge/proc.h"

namespace hostler {
namespace {

// So often an owner must look alive, at such a distance, before it is believed; or not be seen from here at all: it has a
// PID namespace of its own, and might be ending.
constexpr int kLooksAtAnOwner = 10;
constexpr int kLooksAtOneUnseen = 200;
constexpr int kLookEveryMs = 10;
constexpr int kMostLooks = 2000;                    // at one that is on its way out
constexpr std::string_view kLeaving = "leaving\n";  // behind the pid
constexpr int kReadings = 1000;                     // of a pid that its owner is just about to write

std::string pidfile_in(const std::string &state_dir) {
  return state_dir + "/hostler.pid";
}

// Open file description locks, which a process's other threads and children do not lose by chance.
struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

Result<void> check_filesystem(const std::string &state_dir) {
  struct statfs info {};
  if (::statfs(state_dir.c_str(), &info) != 0) return fail(state_dir, "statfs: " + error_words(errno));
  if (const auto name = network_filesystem(static_cast<std::uint64_t>(info.f_type)))
    return fail(state_dir,
                "the state folder is on " + *name + ", a network filesystem, where locks cannot be relied on",
                "set host.state to a folder on a local disk");
  return {};
}

std::optional<pid_t> read_pid(int fd) {
  std::array<char, 32> text{};
  const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (count <= 0 || std::from_chars(text.data(), text.data() + count, pid).ec != std::errc() || pid <= 0)
    return std::nullopt;
  return pid;
}

Result<bool> is_locked(int fd, const std::string &path) {
  struct flock lock = whole_file(F_WRLCK);
  if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) return fail(path, "fcntl: " + error_words(errno));
  return lock.l_type != F_UNLCK;
}

// Is it dying, though its locks are not let go yet: a zombie, on its way out (PF_EXITING of linux/sched.h), or with a
// signal that it has not taken yet, and that ends it or makes it leave? Nothing: it is not to be seen, but with its last
// thread its locks would be gone.
std::optional<bool> is_ending(pid_t pid) {
  const auto stat = read_process_stat(pid);
  if (!stat) return std::nullopt;
  constexpr unsigned kExiting = 0x4;
  if (stat->state == 'Z' || stat->state == 'X' || (stat->flags & kExiting) != 0) return true;
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  constexpr std::array kLast{SIGKILL, SIGTERM, SIGINT, SIGQUIT};
  for (std::string word; status >> word;) {
    if (word != "SigPnd:" && word != "ShdPnd:") continue;
    std::uint64_t pending = 0;
    if (!(status >> std::hex >> pending)) return false;
    for (const int signal : kLast)
      if ((pending >> (signal - 1) & 1U) != 0) return true;
  }
  return false;
}

// Does it say itself that it is on its way out?
bool is_leaving(int fd) {
  std::array<char, 64> text{};
  const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
  return count > 0 && std::string_view(text.data(), static_cast<std::size_t>(count)).ends_with(kLeaving);
}

// A host that was killed holds its lock until the kernel has taken it apart, and one that stops until its workers are gone:
// both are waited for. Nothing: somebody lives.
bool take_lock(int fd, const std::string &state_dir) {
  int living = 0;
  int unseen = 0;
  for (int looks = 0; looks < kMostLooks && living < kLooksAtAnOwner && unseen < kLooksAtOneUnseen; ++looks) {
    struct flock lock = whole_file(F_WRLCK);
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
    if (errno != EAGAIN && errno != EACCES) return false;
    const auto owner = owner_of(state_dir);
    const std::optional<bool> ending = owner && *owner ? is_ending(**owner) : false;
    if (!is_leaving(fd)) {
      if (!ending) ++unseen;
      if (ending == false) ++living;
    }
    ::poll(nullptr, 0, kLookEveryMs);
  }
  errno = EAGAIN;
  return false;
}

}  // namespace

Result<void> make_state_dir(const std::string &state_dir) {
  std::error_code error;
  const auto parent = std::filesystem::path(state_dir).parent_path();
  if (!parent.empty())
    if (const int failed = make_lasting_folders(parent); failed != 0)
      return fail(parent.string(), "cannot be made: " + error_words(failed));
  if (::mkdir(state_dir.c_str(), 0700) == 0) {
    if (::chmod(state_dir.c_str(), 0711) != 0) return fail(state_dir, "chmod: " + error_words(errno));
  } else if (errno != EEXIST) {
    return fail(state_dir, "cannot be made: " + error_words(errno));
  } else if (!std::filesystem::is_directory(state_dir, error)) {
    return fail(state_dir, "is not a folder", "set host.state to another path");
  }
  if (const int failed = make_name_durable(state_dir); failed != 0)
    return fail(state_dir, "cannot be made durable: " + error_words(failed));
  return {};
}

Result<Pidfile> Pidfile::take(const std::string &state_dir) {
  if (auto made = make_state_dir(state_dir); !made) return tl::unexpected<Error>(made.error());
  if (auto local = check_filesystem(state_dir); !local) return tl::unexpected<Error>(local.error());
  const std::string path = pidfile_in(state_dir);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
  if (!fd) return fail(path, "cannot be opened: " + error_words(errno));
  if (!take_lock(fd.get(), state_dir)) {
    if (errno != EAGAIN && errno != EACCES) return fail(path, "cannot be locked: " + error_words(errno));
    const auto owner = owner_of(state_dir);
    const std::string pid = owner && *owner ? fmt::format(" (pid {})", **owner) : "";
    return fail(state_dir, "a host already runs here" + pid, "`hostler status` shows it, `hostler down` stops it");
  }
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return fail(path, "cannot be written: " + error_words(errno));
  return Pidfile(std::move(fd));
}

// Emptied, not removed: another host may have opened it already, and would lock a file that nobody finds any more.
Pidfile::~Pidfile() {
  if (fd_) [[maybe_unused]]
    const int ignored = ::ftruncate(fd_.get(), 0);
}

void Pidfile::set_leaving() {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return;
  if (::pwrite(fd_.get(), kLeaving.data(), kLeaving.size(), status.st_size) < 0)
    return;  // then it is refused meanwhile
}

Result<std::optional<pid_t>> owner_of(const std::string &state_dir) {
  const std::string path = pidfile_in(state_dir);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!fd) return fail(path, "cannot be opened: " + error_words(errno));
  for (int reading = 0; reading < kReadings; ++reading) {
    const auto locked = is_locked(fd.get(), path);
    if (!locked) return tl::unexpected<Error>(locked.error());
    if (!*locked) return std::nullopt;
    if (const auto pid = read_pid(fd.get())) return pid;
    ::sched_yield();
  }
  return fail(path, "is locked by a host whose pid it does not tell");
}

std::optional<std::string> network_filesystem(std::uint64_t magic) {
  // statfs fills only 32 bits of it; linux/magic.h has most.
  static constexpr std::array<std::pair<std::uint32_t, const char *>, 10> kNetwork = {{{0x6969, "NFS"},
                                                                                       {0x517B, "SMB"},
                                                                                       {0xFF534D42, "CIFS"},
                                                                                       {0xFE534D42, "SMB2"},
                                                                                       {0x01021997, "9p"},
                                                                                       {0x00C36400, "Ceph"},
                                                                                       {0x5346414F, "AFS"},
                                                                                       {0x6B414653, "AFS"},
                                                                                       {0x73757245, "Coda"},
                                                                                       {0x0BD00BD0, "Lustre"}}};
  for (const auto &[known, name] : kNetwork)
    if (known == static_cast<std::uint32_t>(magic)) return name;
  return std::nullopt;
}

}  // namespace hostler
