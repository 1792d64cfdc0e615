#include "edge/last_question.h"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "edge/disk_files.h"

namespace hostler {
namespace {

constexpr std::int64_t kMostStatus = 64 << 10;
constexpr int kLooks = 20;
constexpr useconds_t kBetweenStopLooks = 500;

// A set of signals as /proc/PID/status has it; empty when it is not there.
std::uint64_t signals(std::string_view status, std::string_view key) {
  const std::size_t at = status.find(key);
  if (at == std::string_view::npos) return 0;
  return std::strtoull(std::string(status.substr(at + key.size(), 17)).c_str(), nullptr, 16);
}

bool holds(std::uint64_t set, int signal) {
  return (set >> static_cast<unsigned>(signal - 1) & 1U) != 0;
}

// With a debugger's means, which need no help of the worker's. One that cannot be stopped in time stays as it is: it is
// killed soon.
void unblock_all(pid_t pid) {
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return;
  ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
  for (int look = 0; look < kLooks; ++look) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG | __WALL) != 0) return;
    if (info.si_pid != 0) break;
    ::usleep(kBetweenStopLooks);
  }
  const std::uint64_t none = 0;
  ::ptrace(PTRACE_SETSIGMASK, pid, sizeof none, &none);
  ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
}

}  // namespace

int last_question_for(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status", kMostStatus);
  if (!status) return SIGABRT;
  const std::uint64_t blocked = signals(*status, "SigBlk:\t");
  const std::uint64_t caught = signals(*status, "SigCgt:\t");
  int question = SIGABRT;
  for (const int other : {SIGTRAP, SIGSYS, SIGILL, SIGFPE, SIGBUS, SIGSEGV})
    if (!holds(caught, question)) question = other;
  if (!holds(caught, question)) return SIGABRT;  // it was never told to report, or does not want to at all
  if (holds(blocked, question)) unblock_all(pid);
  return question;
}

}  // namespace hostler
