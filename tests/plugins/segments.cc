// Ends a segment after every so many records, and uses all that a segment holds: counters, an output, records that are
// skipped (those with a '!', numbers that `bad` divides), and a state from which the result is made. merge() adds up. All is
// exact, so a test can tell what is missing or double.
//
// Parameters: every (records a segment), bad, spin (turns of an idle loop a record), yield (ends with YIELD after so many
// checkpoints), careless (goes on when one is refused), fail_at (fails in the first attempt when it comes to this position),
// saved (bytes that a checkpoint saves), wait_at (at this position, says so and waits until there is a file `gate`).
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include <hostler/plugin.hpp>

HOSTLER_PLUGIN_WITH_STATE("segments", "1.0.0", HOSTLER_SPLITTABLE, 3);

namespace {

struct State {
  std::int64_t records = 0;
  std::int64_t sum = 0;
};

// What a checkpoint saves: the state, and up to that size bytes that tell whether they are of this state.
std::string packed(const State &state, std::size_t size) {
  std::string bytes(std::max(size, sizeof state), '\0');
  std::memcpy(bytes.data(), &state, sizeof state);
  auto next = static_cast<std::uint32_t>(state.sum);
  for (std::size_t i = sizeof state; i < bytes.size(); ++i) {
    next = next * 1664525 + 1013904223;
    bytes[i] = static_cast<char>(next >> 24);
  }
  return bytes;
}

State unpacked(std::string_view bytes, std::size_t size) {
  State state;
  if (bytes.size() >= sizeof state) std::memcpy(&state, bytes.data(), sizeof state);
  if (bytes != packed(state, size)) throw hostler::Verdict(HOSTLER_BAD_CONFIG, "that is not what was saved");
  return state;
}

class Work {
 public:
  explicit Work(hostler::Slice &slice)
      : slice_(slice),
        copy_(slice.output("copy")),
        every_(slice.param<std::int64_t>("every", 10)),
        spin_(slice.param<std::int64_t>("spin", 0)),
        yield_(slice.param<std::int64_t>("yield", 0)),
        fail_at_(slice.param<std::int64_t>("fail_at", -1)),
        wait_at_(slice.param<std::int64_t>("wait_at", -1)),
        size_(slice.param<std::size_t>("saved", sizeof(State))) {
    if (const auto saved = slice.saved()) state_ = unpacked(*saved, size_);
    slice.log("begins at " + std::to_string(slice.resume()) + " with " +
              std::to_string(slice.saved().value_or("").size()) + " bytes");
  }

  // False: it is time to yield.
  bool record(std::int64_t begin, std::int64_t end, bool bad, std::int64_t value, std::string_view text) {
    for (volatile std::int64_t turn = 0; turn < spin_;) turn = turn + 1;
    if (begin == wait_at_) wait();
    if (begin == fail_at_ && slice_->attempt == 1) throw hostler::Verdict(HOSTLER_ERROR, "as told");
    if (bad) {
      slice_.skip(begin, end, "bad record");
    } else {
      ++state_.records;
      state_.sum += value;
      slice_.counter("records");
      slice_.counter("sum", value);
      copy_.write(text);
      copy_.write("\n");
    }
    if (++since_ < every_) return true;
    since_ = 0;
    const bool made = checkpoint(end);
    return !made || yield_ == 0 || ++made_ < yield_;
  }

  bool checkpoint(std::int64_t position) {
    try {
      return slice_.checkpoint(position, packed(state_, size_));
    } catch (const hostler::Verdict &) {
      if (slice_.param<bool>("careless", false)) return false;
      throw;
    }
  }

  void finish() { slice_.result(std::to_string(state_.records) + " " + std::to_string(state_.sum)); }

 private:
  void wait() {
    if (::access("gate", F_OK) == 0) return;
    slice_.log("waits at " + std::to_string(wait_at_));
    while (::access("gate", F_OK) != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  hostler::Slice &slice_;
  hostler::Output &copy_;
  std::int64_t every_;
  std::int64_t spin_;
  std::int64_t yield_;
  std::int64_t fail_at_;
  std::int64_t wait_at_;
  std::size_t size_;
  State state_;
  std::int64_t since_ = 0;
  std::int64_t made_ = 0;
};

int segments(hostler::Slice &slice) {
  Work work(slice);
  const auto bad = slice.param<std::int64_t>("bad", 0);
  if (slice->kind == HOSTLER_RANGE) {
    for (const std::int64_t number : slice.numbers())
      if (!work.record(number, number + 1, bad != 0 && number % bad == 0, number, std::to_string(number)))
        return HOSTLER_YIELD;
  } else {
    for (const std::string_view line : slice.lines()) {
      const hostler::Span span = slice.span_of(line);
      const bool is_bad = line.find('!') != std::string_view::npos;
      if (!work.record(span.begin, span.end, is_bad, static_cast<std::int64_t>(line.size()), line))
        return HOSTLER_YIELD;
    }
  }
  work.finish();
  return HOSTLER_DONE;
}

void add_up(hostler::Slice &slice, hostler::Results &results) {
  std::int64_t records = 0;
  std::int64_t sum = 0;
  for (const hostler::Range range : results.committed()) {
    const std::string result(range.result());
    char *rest = nullptr;
    records += std::strtoll(result.c_str(), &rest, 10);
    sum += std::strtoll(rest, nullptr, 10);
  }
  std::string total = "records " + std::to_string(records) + " sum " + std::to_string(sum) + " counted " +
                      std::to_string(results.counter("records")) + " " + std::to_string(results.counter("sum")) + "\n";
  for (const hostler::Range range : results.quarantined())
    total += "without " + std::to_string(range->input) + " " + std::to_string(range->begin) + "-" +
             std::to_string(range->end) + ": " + range->reason + "\n";
  slice.output("total").write(total);
  slice.result(total);
}

}  // namespace

HOSTLER_RUN(segments)
HOSTLER_MERGE(add_up)
