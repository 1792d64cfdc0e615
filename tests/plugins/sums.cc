// Leaves one of everything for each slice: an output, a result and counters; merge() adds them up. Of RANGE it sums the
// numbers, of LINES the lengths of the lines. Everything left is exact, so a test can tell what is missing or double.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <hostler/plugin.hpp>

HOSTLER_PLUGIN("sums", "1.0.0", HOSTLER_SPLITTABLE);

namespace {

void sums(hostler::Slice &slice) {
  std::int64_t sum = 0;
  std::int64_t count = 0;
  if (slice->kind == HOSTLER_RANGE) {
    for (const std::int64_t number : slice.numbers()) {
      sum += number;
      ++count;
    }
  } else {
    for (const std::string_view line : slice.lines()) {
      sum += static_cast<std::int64_t>(line.size());
      ++count;
    }
  }
  slice.output("sums.txt")
      .write(std::to_string(slice->input) + " " + std::to_string(slice->begin) + " " + std::to_string(slice->end) +
             " " + std::to_string(sum) + "\n");
  slice.result(std::to_string(sum));
  slice.counter("count", count);
  slice.counter("sum", sum);
}

void add_up(hostler::Slice &slice, hostler::Results &results) {
  std::int64_t sum = 0;
  std::int64_t files = 0;
  for (const hostler::Range range : results.committed()) {
    sum += std::strtoll(std::string(range.result()).c_str(), nullptr, 10);
    files += range->file_count;
  }
  std::int64_t missing = 0;
  for (const hostler::Range range : results.quarantined()) missing += range->end - range->begin;
  slice.output("total.txt")
      .write("sum " + std::to_string(sum) + " files " + std::to_string(files) + " counted " +
             std::to_string(results.counter("sum")) + " missing " + std::to_string(missing) + "\n");
  slice.result(std::to_string(sum));
}

}  // namespace

HOSTLER_RUN(sums)
HOSTLER_MERGE(add_up)
