// logs: what the workers have said, now and as they go on.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/say.h"
#include "cli/stop_signals.h"
#include "edge/log_reader.h"

namespace hostler {
namespace {

void print_words(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

Outcome<LogFilter> filter_of(const std::string &name) {
  if (name.empty()) return LogFilter{};
  const std::size_t slash = name.find('/');
  LogFilter filter{name.substr(0, slash), std::nullopt};
  if (slash == std::string::npos) return filter;
  filter.instance = name.substr(slash + 1);
  if (filter.instance->empty() || filter.instance->find_first_not_of("0123456789") != std::string::npos)
    return give_up(ExitCode::Usage, fmt::format("{} names no instance: write NAME, or NAME/0, NAME/1 …", name));
  return filter;
}

Outcome<ExitCode> follow(LogReader &reader) {
  auto signals = StopSignals::take();
  if (!signals) return give_up(ExitCode::Failed, signals.error());
  for (int gaps = 0;;) {
    reader.read(print_words);
    std::fflush(stdout);
    if (reader.gaps() > std::exchange(gaps, reader.gaps()))
      warn("hostler: lines come faster than they are taken: some may be missing here\n");
    std::array<pollfd, 2> events = {{{reader.changes_fd(), POLLIN, 0}, {signals->fd(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), -1);
    if (signals->arrived() != 0) return ExitCode::Fine;
  }
}

}  // namespace

Outcome<ExitCode> run_logs(const LogsCommand &command) {
  const StateDir state = state_dir_of(command.address);
  const std::string logs_dir = state.path + "/logs";
  const auto filter = filter_of(command.name);
  if (!filter) return tl::unexpected<Failure>(filter.error());
  auto reader = LogReader::open(logs_dir, *filter);
  if (!reader) return give_up(ExitCode::Failed, fmt::format("no logs yet: {}", reader.error().text()));
  if (filter->entry && !reader->has_logs()) {
    const auto entries = logged_entries(logs_dir);
    return give_up(ExitCode::Failed,
                   fmt::format("{} has no log in {}{}", *filter->entry, logs_dir,
                               entries.empty() ? "" : fmt::format(" (there are: {})", fmt::join(entries, ", "))));
  }
  if (command.follow) return follow(*reader);
  reader->read(print_words);
  return ExitCode::Fine;
}

}  // namespace hostler
