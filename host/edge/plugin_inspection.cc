#include "edge/plugin_inspection.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include <fmt/format.h>

#include "core/exit_status.h"
#include "core/units.h"
#include "edge/crash_slot.h"
#include "edge/pidfd.h"
#include "edge/symboliser.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr int kFactsFd = 3;  // where the child writes
constexpr int kCrashFd = 4;  // where it notes its crash
constexpr std::size_t kMostFacts = 65536;
constexpr Duration kLastAct = std::chrono::seconds(2);  // to end what the plugin has started: killing takes no time

struct Child {
  pid_t pid = 0;
  UniqueFd pidfd;
  UniqueFd facts;
  UniqueFd crash;
};

// posix_spawn's two objects, destroyed with their block.
struct SpawnSettings {
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  SpawnSettings(const SpawnSettings &) = delete;
  SpawnSettings &operator=(const SpawnSettings &) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// A group of its own, default signals, nothing but the pipe and the slot. What the plugin's constructors print is nobody's.
void prepare(SpawnSettings &settings, int facts, int crash) {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::posix_spawn_file_actions_addopen(&settings.actions, fd, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&settings.actions, facts, kFactsFd);
  ::posix_spawn_file_actions_adddup2(&settings.actions, crash, kCrashFd);
  ::posix_spawn_file_actions_addclosefrom_np(&settings.actions, kCrashFd + 1);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&settings.attributes, &none);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
  ::posix_spawnattr_setpgroup(&settings.attributes, 0);
  ::posix_spawnattr_setflags(&settings.attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

// "65534:65534:65534,7", as inspect_main reads it.
std::string in_numbers(const User &user) {
  return fmt::format("{}:{}:{}", user.uid, user.gid, fmt::join(user.groups, ","));
}

Result<Child> spawn(const std::string &binary, const std::string &library, const std::optional<User> &user) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail({}, fmt::format("cannot be inspected: {}", std::strerror(errno)));
  Child child;
  child.facts.reset(ends[0]);
  child.crash.reset(::memfd_create("crash", MFD_CLOEXEC));
  if (!child.crash || ::ftruncate(child.crash.get(), static_cast<off_t>(kSlotSize)) != 0)
    return fail({}, fmt::format("cannot be inspected: {}", std::strerror(errno)));
  // Above the numbers they get in the child: a dup2 onto itself would stay close-on-exec.
  const UniqueFd pipe_end(ends[1]);
  const UniqueFd facts(::fcntl(pipe_end.get(), F_DUPFD_CLOEXEC, kCrashFd + 1));
  const UniqueFd crash(::fcntl(child.crash.get(), F_DUPFD_CLOEXEC, kCrashFd + 1));
  SpawnSettings settings;
  prepare(settings, facts.get(), crash.get());
  std::string name = "hostler";
  std::string command = "__inspect";
  std::string path = library;
  std::string as = user ? in_numbers(*user) : "";
  std::array<char *, 5> argv{name.data(), command.data(), path.data(), user ? as.data() : nullptr, nullptr};
  const int error =
      ::posix_spawn(&child.pid, binary.c_str(), &settings.actions, &settings.attributes, argv.data(), environ);
  if (error != 0) return fail({}, fmt::format("cannot be inspected: {}: {}", binary, std::strerror(error)));
  child.pidfd = open_pidfd(child.pid);
  if (child.pidfd) return child;
  const int no_pidfd = errno;
  ::kill(child.pid, SIGKILL);
  ::waitpid(child.pid, nullptr, 0);
  return fail({}, fmt::format("cannot be inspected: {}", std::strerror(no_pidfd)));
}

// Readable from when a stop is asked for, which may be on another thread.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token &stop)
      : fd_(::eventfd(0, EFD_CLOEXEC)), callback_(stop, [this] { (void)::eventfd_write(fd_.get(), 1); }) {}
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::stop_callback<std::function<void()>> callback_;
};

// Until end of file, the deadline or the stop; a grandchild may keep the pipe open after the child's end.
std::string read_facts(const Child &child, TimePoint deadline, const StopEvent &stop) {
  std::string text;
  std::array<char, 4096> bytes;
  while (text.size() < kMostFacts) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    std::array<pollfd, 3> polls{
        {{child.facts.get(), POLLIN, 0}, {child.pidfd.get(), POLLIN, 0}, {stop.fd(), POLLIN, 0}}};
    if (left.count() <= 0) break;
    const int ready = ::poll(polls.data(), polls.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || polls[2].revents != 0) break;
    if (polls[0].revents == 0) break;  // it has left, and all that it wrote has been read
    const ssize_t size = ::read(child.facts.get(), bytes.data(), bytes.size());
    if (size <= 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(size));
  }
  return text;
}

// The child and all that it started: asked first, it notes where it is, and ends also what has left its group.
WaitStatus end(const Child &child, Duration patience, bool &timed_out) {
  timed_out = !wait_for_death(child.pidfd, patience);
  if (timed_out && send_signal(child.pidfd, SIGTERM)) (void)wait_for_death(child.pidfd, kLastAct);
  ::kill(-child.pid, SIGKILL);
  send_signal(child.pidfd, SIGKILL);
  (void)wait_for_death(child.pidfd, std::chrono::hours(1));  // SIGKILL is certain
  return reap(child.pidfd).value_or(WaitStatus{});
}

// ", crash.so+0x1139 in setup() (crash.cc:12)", as far as the child could say.
std::string site(const std::string &binary, const std::string &library, const CrashCapture &crash) {
  const Backtrace backtrace = symbolise_now(find_symboliser(binary), crash);
  std::string words = site_words(backtrace, library.substr(0, library.rfind('/')));
  if (words.empty()) words = understand(crash).site;
  return words.empty() ? "" : ", " + words;
}

}  // namespace

Result<PluginFacts> inspect_plugin(const std::string &binary, const std::string &library,
                                   const std::optional<User> &user, Duration time_limit, const std::stop_token &stop) {
  const TimePoint deadline = std::chrono::steady_clock::now() + time_limit;
  auto child = spawn(binary, library, user);
  if (!child) return tl::unexpected(child.error());
  const StopEvent stopped(stop);
  const std::string text = read_facts(*child, deadline, stopped);
  bool timed_out = false;
  const Duration left =
      stop.stop_requested() ? Duration{} : std::max<Duration>(deadline - std::chrono::steady_clock::now(), Duration{});
  const WaitStatus status = end(*child, left, timed_out);
  if (stop.stop_requested()) return fail({}, "was not inspected: the host is stopping");
  const auto crash = status.signaled ? read_crash_slot(child->crash.get(), 0, status.value) : std::nullopt;
  const std::string where = crash ? site(binary, library, *crash) : "";
  if (timed_out)
    return fail({}, fmt::format("did not finish loading within {}{}", format_duration(time_limit), where),
                "does a constructor of it wait for something?");
  if (status.signaled) {
    const std::string what = crash ? signal_words(understand(*crash)) : signal_name(status.value);
    return fail({}, fmt::format("crashed ({}) while being loaded{}", what, where));
  }
  auto facts = parse_facts(text);
  if (!facts && !text.empty() && status.value == 0)
    return fail({}, "disturbs its own inspection",
                "does a constructor of it write to descriptors that it has not opened?");
  if (!facts) return fail({}, fmt::format("{} while being loaded", words(status)));
  if (!facts->error.empty()) return fail({}, facts->error);
  return facts;
}

}  // namespace hostler
