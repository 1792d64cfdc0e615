#include "edge/plugin_inspection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/exit_status.h"
#include "core/units.h"
#include "edge/crash_slot.h"
#include "edge/disk_error.h"
#include "edge/pidfd.h"
#include "edge/spawn.h"
#include "edge/symboliser.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr std::size_t kMostFacts = 65536;
constexpr std::string_view kCannot = "cannot be inspected";
constexpr Duration kLastAct = std::chrono::seconds(2);  // to end what the plugin has started: killing takes no time

struct Child {
  Spawned process;
  UniqueFd facts;  // what it writes
  UniqueFd crash;  // where it notes its crash
};

// "65534:65534:65534,7", as inspect_main reads it.
std::string in_numbers(const User &user) {
  return fmt::format("{}:{}:{}", user.uid, user.gid, fmt::join(user.groups, ","));
}

Result<Child> spawn(const std::string &binary, const std::string &library, const std::optional<User> &user) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, {}, kCannot);
  Child child;
  child.facts.reset(ends[0]);
  const UniqueFd facts(ends[1]);
  child.crash.reset(::memfd_create("crash", MFD_CLOEXEC));
  if (!child.crash || ::ftruncate(child.crash.get(), static_cast<off_t>(kSlotSize)) != 0)
    return errno_error(errno, {}, kCannot);
  std::vector<std::string> arguments{"hostler", "__inspect", library};
  if (user) arguments.push_back(in_numbers(*user));
  // What the plugin's constructors print is nobody's.
  auto process = spawn_program(binary, std::move(arguments), {-1, -1, -1, facts.get(), child.crash.get()});
  if (!process)
    return tl::unexpected(
        Error{{}, fmt::format("{}: {}", kCannot, process.error().text()), {}, process.error().may_pass});
  child.process = std::move(*process);
  return child;
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
        {{child.facts.get(), POLLIN, 0}, {child.process.pidfd.get(), POLLIN, 0}, {stop.fd(), POLLIN, 0}}};
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
  timed_out = !wait_for_death(child.process.pidfd, patience);
  if (timed_out && send_signal(child.process.pidfd, SIGTERM)) (void)wait_for_death(child.process.pidfd, kLastAct);
  ::kill(-child.process.pid, SIGKILL);
  send_signal(child.process.pidfd, SIGKILL);
  (void)wait_for_death(child.process.pidfd, std::chrono::hours(1));  // SIGKILL is certain
  return reap(child.process.pidfd).value_or(WaitStatus{});
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
  if (!facts->error.empty()) return tl::unexpected(Error{{}, facts->error, {}, facts->is_passing});
  return facts;
}

}  // namespace hostler
