#include "cli/progress_display.h"
#include "cli/say.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "core/human_text.h"
#include "core/progress_text.h"

namespace hostler {
namespace {

struct Size {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

Size terminal_size() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

// Jobs, and whatever else has come to grief.
std::vector<const EntryStatus *> shown(const HostStatus &host) {
  std::vector<const EntryStatus *> entries;
  for (const auto &entry : host.entries)
    if (entry.kind == "job" || entry.state == "failed") entries.push_back(&entry);
  return entries;
}

std::string failed_words(const EntryStatus &service) {
  return fmt::format("{}: failed: {}", service.name, service.reason);
}

}  // namespace

ProgressDisplay::ProgressDisplay() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressDisplay::show(const HostStatus &host) {
  terminal_ ? draw(host) : print_changes(host);
}

void ProgressDisplay::clear() {
  if (drawn_ > 0) warn("\x1b[{}A\x1b[J", std::exchange(drawn_, 0));
  std::fflush(stderr);
}

void ProgressDisplay::draw(const HostStatus &host) {
  const Size size = terminal_size();
  auto entries = shown(host);
  std::size_t name_columns = 0;
  for (const auto *entry : entries) name_columns = std::max(name_columns, columns_of(entry->name));
  std::string text;
  std::size_t lines = 0;
  std::size_t above = 0;
  if (!host.waits_for.empty()) {
    text += fit("jobs wait: " + host.waits_for, size.columns - 1) + "\n";
    above = 1;
  }
  for (const auto *entry : entries) {
    if (above + lines + 2 >= size.rows) {  // what scrolls away cannot be drawn anew
      text += fmt::format("… and {} more\n", entries.size() - lines);
      ++lines;
      break;
    }
    text += entry->kind == "job" ? progress_line(*entry, name_columns, size.columns - 1)
                                 : fit(failed_words(*entry), size.columns - 1);
    text += "\n";
    ++lines;
  }
  clear();
  warn("{}", text);
  std::fflush(stderr);
  drawn_ = above + lines;
}

void ProgressDisplay::print_changes(const HostStatus &host) {
  if (std::exchange(waits_for_, host.waits_for) != host.waits_for)
    warn("{}\n", host.waits_for.empty() ? "what jobs waited for has passed" : "jobs wait: " + host.waits_for);
  for (const auto *entry : shown(host)) {
    const std::string words =
        entry->kind == "job" ? fmt::format("{}: {}", entry->name, progress_words(*entry)) : failed_words(*entry);
    if (std::exchange(said_[entry->name], words) != words) warn("{}\n", words);
  }
  std::fflush(stderr);
}

}  // namespace hostler
