// Progress of jobs on standard error while `run` runs: lines that are drawn anew on a terminal, else a plain line for each
// job whenever something has changed.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "core/status.h"

namespace hostler {

class ProgressDisplay {
 public:
  ProgressDisplay();
  ~ProgressDisplay() { clear(); }
  ProgressDisplay(const ProgressDisplay &) = delete;
  ProgressDisplay &operator=(const ProgressDisplay &) = delete;

  void show(const HostStatus &host);
  // Takes what is drawn off the terminal.
  void clear();
  [[nodiscard]] bool is_terminal() const { return terminal_; }

 private:
  void draw(const HostStatus &host);
  void print_changes(const HostStatus &host);

  bool terminal_;
  std::size_t drawn_ = 0;                    // lines
  std::map<std::string, std::string> said_;  // by entry
  std::string waits_for_;                    // as it was said
};

}  // namespace hostler
