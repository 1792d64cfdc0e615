// What the segments of a slice leave. A checkpoint ends a segment: what the plugin has counted, skipped and written by then
// is committed with it, and the next attempt goes on from there. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hostler {

// An output of a slice, and how much of it is committed.
struct OutputLength {
  std::string name;
  std::int64_t size = 0;
  bool operator==(const OutputLength &) const = default;
};

// A record that is put aside, with why. Its bytes are at most kMaxAsideBytes of it: of an item its text, of a number none.
struct Aside {
  std::int64_t begin = 0;  // local positions
  std::int64_t end = 0;
  std::string bytes;
  std::string reason;
  bool operator==(const Aside &) const = default;
};
inline constexpr std::size_t kMaxAsideBytes = std::size_t{64} << 10;

// How much is put aside: what `max_skipped:` bounds.
struct Skipped {
  std::int64_t records = 0;  // lines, records, numbers, items
  std::int64_t positions = 0;
  Skipped &operator+=(const Skipped &more) {
    records += more.records;
    positions += more.positions;
    return *this;
  }
  Skipped &operator-=(const Skipped &less) {
    records -= less.records;
    positions -= less.positions;
    return *this;
  }
  bool operator==(const Skipped &) const = default;
};

// The last checkpoint of a slice that has not ended, with all that its segments have added to the job: so it can be taken
// back exactly. What the plugin saved in it (up to 16 MiB) is in the ledger alone.
struct Checkpoint {
  std::int64_t position = 0;                     // global: all of the slice before it is done
  std::int64_t state_version = 0;                // of the build that saved it
  std::map<std::string, std::int64_t> counters;  // sums over the segments
  Skipped skipped;
  std::string attempt_dir;  // where the files are, or empty
  std::vector<OutputLength> files;
  bool operator==(const Checkpoint &) const = default;
};

}  // namespace hostler
