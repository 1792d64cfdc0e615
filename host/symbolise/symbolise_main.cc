// hostler-symbolise [REPORT]: a process of its own, run by the host after a worker's death, so that neither host nor
// template maps libdw, and debug information that no reader can stand kills nothing but this.
//
// On stdin: the size of a packed crash (core/crash.h) as a line, the crash, and the words that the host has for it. On
// stdout: the backtrace (core/backtrace.h). REPORT becomes a file with all of it; at most kMostReports stay beside it.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "core/backtrace.h"
#include "core/crash.h"
#include "symbolise/report_file.h"
#include "symbolise/unwind.h"

namespace hostler {
namespace {

constexpr std::size_t kMostInput = std::size_t{1} << 20;
constexpr rlim_t kMostSeconds = 20;
[[maybe_unused]] constexpr rlim_t kMostMemory = rlim_t{1} << 30;

void limit(decltype(RLIMIT_CPU) what, rlim_t most) {
  const rlimit limits{most, most};
  ::setrlimit(what, &limits);
}

// Whatever the files hold that are read here: it ends with the host, soon, and small.
void be_modest() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::unsetenv("DEBUGINFOD_URLS");  // nothing is fetched from a network
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, kMostSeconds);
#ifndef HOSTLER_SANITIZED  // whose shadows are larger than any limit
  limit(RLIMIT_DATA, kMostMemory);
#endif
  ::setpriority(PRIO_PROCESS, 0, 10);
}

std::string read_stdin() {
  std::string text;
  std::string piece(std::size_t{64} << 10, '\0');
  while (text.size() < kMostInput) {
    const ssize_t size = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    text.append(piece, 0, static_cast<std::size_t>(size));
  }
  return text;
}

struct Input {
  CrashCapture capture;
  std::string words;
};

std::optional<Input> parse(std::string_view text) {
  std::size_t size = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  const auto digits = static_cast<std::size_t>(rest - text.data());
  if (error != std::errc() || !text.substr(digits).starts_with('\n') || text.size() - digits - 1 < size)
    return std::nullopt;
  text.remove_prefix(digits + 1);
  auto capture = unpack(text.substr(0, size));
  if (!capture) return std::nullopt;
  return Input{std::move(*capture), std::string(text.substr(size))};
}

int symbolise(const char *report) {
  be_modest();
  const auto input = parse(read_stdin());
  if (!input) return 2;
  std::string problem;
  if (report != nullptr) problem = write_report(report, input->words, input->capture, nullptr);
  Backtrace backtrace = unwind(input->capture);
  if (report != nullptr && problem.empty()) problem = write_report(report, input->words, input->capture, &backtrace);
  if (!problem.empty()) backtrace.problem = problem;
  if (report != nullptr && problem.empty()) backtrace.file = report;
  const std::string text = encode(backtrace);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace hostler

int main(int argc, char **argv) {
  return hostler::symbolise(argc > 1 && *argv[1] != '\0' ? argv[1] : nullptr);
}
