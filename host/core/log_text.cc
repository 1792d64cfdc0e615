#include "core/log_text.h"

#include <fmt/format.h>

#include <chrono>

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
    add(bytes.substr(0, newline), sink);
    if (newline == std::string_view::npos) return;
    sink(partial_);
    partial_.clear();
    bytes.remove_prefix(newline + 1);
  }
}

void LineAssembler::finish(const Sink &sink) {
  if (partial_.empty()) return;
  sink(partial_);
  partial_.clear();
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
