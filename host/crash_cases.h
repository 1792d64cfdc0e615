// Crashes on their way from the death to the backtrace: each is reported in the log when it is found, which is later than
// the verdict. The supervisor's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/crash.h"
#include "core/log_level.h"
#include "core/system.h"

namespace hostler {

struct CrashCase {
  WorkerId worker = 0;
  std::string entry;
  std::string who;      // "NAME/0[123]"
  std::string library;  // what it had loaded
  std::string build;    // the hash of that
  std::string verdict;  // in words
  Crash crash;
};

class CrashCases {
 public:
  CrashCases(System &system, LogSink log) : system_(system), log_(std::move(log)) {}

  void open(CrashCase crash);

  struct Explained {
    CrashCase crash;
    std::string site;  // better words than those of the crash, or the same
  };
  // Nothing when there was no such case.
  std::optional<Explained> close(WorkerId worker, const Backtrace &backtrace);
  [[nodiscard]] bool empty() const { return cases_.empty(); }

 private:
  void log(const CrashCase &crash, const Backtrace &backtrace, const std::string &site) const;

  System &system_;
  LogSink log_;
  std::unordered_map<WorkerId, CrashCase> cases_;
};

// What stands above run(), a line a frame: the rest is always the same, and the host's.
[[nodiscard]] std::vector<std::string> plugin_lines(const Backtrace &backtrace);

// `words` with the site in them, if there is one, replaced by a better one.
[[nodiscard]] std::string with_site(const std::string &words, const std::string &site, const std::string &better);

}  // namespace hostler
