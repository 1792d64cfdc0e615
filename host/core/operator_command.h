// What a person asks of running entries: start, stop, restart, scale, and of jobs pause, resume, cancel, retry. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/job_store.h"
#include "core/status.h"

namespace hostler {

enum class OperatorVerb { Start, Stop, Restart, Scale, Pause, Resume, Cancel, Retry };
[[nodiscard]] std::string_view name(OperatorVerb verb);  // "start"; round-trips
[[nodiscard]] std::optional<OperatorVerb> operator_verb_from_name(std::string_view text);

struct OperatorCommand {
  OperatorVerb verb = OperatorVerb::Start;
  std::vector<std::string> names;
  bool all = false;                   // every entry of the file, instead of names
  std::int32_t count = 0;             // scale
  std::vector<std::string> fresh;     // start: jobs to begin from zero
  std::vector<std::string> resume;    // start: jobs to go on with, what is done kept
  std::vector<std::string> slices{};  // retry: of the one job that is named; empty: all that are given up
  bool operator==(const OperatorCommand &) const = default;
};

// What an entry says to being started, stopped …: empty when it may be, or why it would be of no use.
struct OperatorTarget {
  bool is_job = false;
  Halt halt = Halt::None;
  std::string cannot_start;           // a job: "has ended: failed; …"
  std::optional<Error> cannot_retry;  // a job: what stands in the way of that
};

// The names that are meant, in order, without doubles. All or nothing: an error for a name that is none, or for an entry
// that cannot do what is asked; with `all` those are left out. `known`: in the order of the file.
[[nodiscard]] Result<std::vector<std::string>> targets(
    const OperatorCommand &command, const std::vector<std::pair<std::string, OperatorTarget>> &known);

// How it ended for an entry: "tick: running, 2 workers"; and whether that is what was asked for.
struct OperatorOutcome {
  bool ok = true;
  bool certain = true;  // false: it runs, but has not said that it is ready; it may fail in a moment
  std::string words;
};
[[nodiscard]] OperatorOutcome outcome(OperatorVerb verb, const EntryStatus &entry);

}  // namespace hostler
