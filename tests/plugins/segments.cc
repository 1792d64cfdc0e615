// Ends a segment after every so many records, and uses all that a segment holds: counters, an output, records that are
// skipped (those with a '!', numbers that `bad` divides), and a state from which the result is made. merge() adds up. All is
// exact, so a test can tell what is missing or double.
//
// Parameters: every (records a segment), bad, spin (turns of an idle loop a record), yield (ends with YIELD after so many
// checkpoints), careless (goes on when one is refused), fail_at (fails in the first attempt when it comes to this position).
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include <hostler/plugin.hpp>

HOSTLER_PLUGIN_WITH_STATE("segments", "1.0.0", HOSTLER_SPLITTABLE, 3);

namespace {

struct State {
  std::int64_t records = 0;
  std::int64_t sum = 0;
};

class Work {
 public:
  explicit Work(hostler::Slice &slice)
      : slice_(slice),
        copy_(slice.output("copy")),
        every_(slice.param<std::int64_t>("every", 10)),
        spin_(slice.param<std::int64_t>("spin", 0)),
        yield_(slice.param<std::int64_t>("yield", 0)),
        fail_at_(slice.param<std::int64_t>("fail_at", -1)) {
    if (const auto saved = slice.saved(); saved && saved->size() == sizeof state_)
      std::memcpy(&state_, saved->data(), sizeof state_);
  }

  // False: it is time to yield.
  bool record(std::int64_t begin, std::int64_t end, bool bad, std::int64_t value, std::string_view text) {
    for (volatile std::int64_t turn = 0; turn < spin_;) turn = turn + 1;
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
      return slice_.checkpoint(position, {reinterpret_cast<const char *>(&state_), sizeof state_});
    } catch (const hostler::Verdict &) {
      if (slice_.param<bool>("careless", false)) return false;
      throw;
    }
  }

  void finish() { slice_.result(std::to_string(state_.records) + " " + std::to_string(state_.sum)); }

 private:
  hostler::Slice &slice_;
  hostler::Output &copy_;
  std::int64_t every_;
  std::int64_t spin_;
  std::int64_t yield_;
  std::int64_t fail_at_;
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
