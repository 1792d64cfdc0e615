#include "worker/inspect_main.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/page.h"
#include "core/plugin_facts.h"
#include "worker/crash_report.h"
#include "worker/plugin_loader.h"
#include "worker/user.h"

namespace hostler {
namespace {

PluginFacts inspect(const std::string &library) {
  PluginFacts facts;
  const auto plugin = load_plugin(library, library.substr(library.rfind('/') + 1));
  if (!plugin) {
    facts.error = plugin.error().what;
    facts.is_passing = plugin.error().passing;
    return facts;
  }
  facts.id = plugin->about->id;
  facts.version = plugin->about->version;
  facts.abi = fmt::format("{}.{}", plugin->about->abi_major, plugin->about->abi_minor);
  facts.flags = plugin->about->flags;
  facts.state_version = plugin->about->state_version;
  facts.has_prepare = plugin->prepare != nullptr;
  facts.has_merge = plugin->merge != nullptr;
  return facts;
}

[[noreturn]] void tell(const PluginFacts &facts) {
  const std::string text = format_facts(facts);
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = ::write(kInspectFd, text.data() + written, text.size() - written);
    if (n <= 0) ::_exit(1);
    written += static_cast<std::size_t>(n);
  }
  ::_exit(0);  // no destructor of the plugin runs
}

// It could not even be tried, for what errno says.
[[noreturn]] void tell_trouble(std::string what) {
  PluginFacts facts;
  facts.is_passing = errno == EAGAIN || errno == ENOMEM;
  facts.error = std::move(what);
  tell(facts);
}

// Loads the plugin and tells what it is.
[[noreturn]] void load_and_tell(const std::string &library) {
  void *slot = ::mmap(nullptr, kSlotSize, PROT_READ | PROT_WRITE, MAP_SHARED, kInspectCrashFd, 0);
  ::close(kInspectCrashFd);
  catch_crashes();
  if (slot != MAP_FAILED) note_crashes_in(slot);
  tell(inspect(library));
}

// Whatever the plugin's constructors have started, in groups and sessions of their own too: we are the subreaper.
void end_all_children() {
  const std::string list = fmt::format("/proc/self/task/{}/children", ::getpid());
  do {
    std::ifstream children(list);
    for (pid_t pid = 0; children >> pid;) ::kill(pid, SIGKILL);
  } while (::waitpid(-1, nullptr, 0) > 0 || errno != ECHILD);
}

// "65534:65534:65534,7"
std::optional<User> parse_user(std::string_view text) {
  std::vector<std::uint32_t> numbers;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find_first_of(":,"), text.size());
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + size, number);
    if (error != std::errc() || end != text.data() + size) return std::nullopt;
    numbers.push_back(number);
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  if (numbers.size() < 2) return std::nullopt;
  return User{std::to_string(numbers[0]), numbers[0], numbers[1], {numbers.begin() + 2, numbers.end()}, {}};
}

// Out of time: it gets a moment to note where it is. Returns its pid, or 0 when it has not died of that. SIGCHLD is blocked.
pid_t end_with_last_words(pid_t child, int &status) {
  constexpr timespec kMoment{0, 500'000'000};
  sigset_t deaths;
  sigemptyset(&deaths);
  sigaddset(&deaths, SIGCHLD);
  ::kill(child, SIGABRT);
  pid_t gone = 0;
  while (gone == 0 && ::sigtimedwait(&deaths, nullptr, &kMoment) == SIGCHLD) gone = ::waitpid(child, &status, WNOHANG);
  return gone;
}

// Leaves as the child has left.
[[noreturn]] void leave_like(int status) {
  if (WIFSIGNALED(status)) {
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::signal(WTERMSIG(status), SIG_DFL);
    sigset_t all;
    sigemptyset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    ::raise(WTERMSIG(status));
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

}  // namespace

int inspect_main(int argc, char **argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc != 3 && argc != 4) return 2;
  const auto user = argc == 4 ? parse_user(argv[3]) : std::nullopt;
  if (argc == 4 && !user) return 2;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t awaited;
  sigset_t before;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &awaited, &before);
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) tell_trouble(fmt::format("no process could be made to load it in: {}", std::strerror(errno)));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (user)
      if (const auto other = become_user(*user); !other) tell_trouble(other.error().what);
    if (::getppid() != self) ::_exit(1);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    load_and_tell(argv[2]);
  }
  ::close(kInspectFd);
  ::close(kInspectCrashFd);
  int status = 0;
  pid_t gone = 0;
  while (gone == 0) {
    const int signal = ::sigwaitinfo(&awaited, nullptr);
    if (signal == SIGTERM) gone = end_with_last_words(child, status);
    if (signal == SIGTERM) break;
    gone = ::waitpid(child, &status, WNOHANG);
  }
  end_all_children();
  if (gone != child) return 1;
  leave_like(status);
}

}  // namespace hostler
