#include "core/log_text.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace hostler {

std::string timestamp(UnixMilliseconds at) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(at)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

void LineAssembler::feed(std::string_view bytes, const Sink &sink) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::string_view line = bytes.substr(0, newline);
    if (newline == std::string_view::npos) return add(line, sink);
    if (partial_.empty() && line.size() <= kMaxLine) {
      sink(line);
    } else {
      add(line, sink);
      hand_over(sink);
    }
    bytes.remove_prefix(newline + 1);
  }
}

void LineAssembler::finish(const Sink &sink) {
  if (!partial_.empty()) hand_over(sink);
}

// Its room goes too: thousands of workers have each said a long line once.
void LineAssembler::hand_over(const Sink &sink) {
  const std::string line = std::exchange(partial_, {});
  sink(line);
}

void LineAssembler::add(std::string_view part, const Sink &sink) {
  while (partial_.size() + part.size() > kMaxLine) {
    const std::size_t fits = kMaxLine - partial_.size();
    partial_.append(part.substr(0, fits)).append(kContinues);
    sink(partial_);
    partial_.clear();
    part.remove_prefix(fits);
  }
  partial_.append(part);
}

}  // namespace hostler
