// The text of log files: stamps, and bytes cut into lines. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace hostler {

// "2026-01-31T12:00:00.123Z". Stamps sort as text.
[[nodiscard]] std::string timestamp(UnixMilliseconds at);

// Cuts one worker's output into lines, whatever pieces it arrives in.
class LineAssembler {
 public:
  static constexpr std::size_t kMaxLine = std::size_t{64} << 10;
  // Ends each piece but the last of a line that was longer than kMaxLine.
  static constexpr std::string_view kContinues = " [line continues]";

  // Called for each line, without its '\n'; the view is valid during the call.
  using Sink = std::function<void(std::string_view line)>;

  void feed(std::string_view bytes, const Sink &sink);
  // The output has ended: what stands behind the last '\n' is a line too.
  void finish(const Sink &sink);

 private:
  void add(std::string_view part, const Sink &sink);
  void hand_over(const Sink &sink);
  std::string partial_;
};

}  // namespace hostler
