// The seam to all that is durable about jobs: the ledger and the output folders. The real one is edge/job_store (one
// I/O thread); tests use an in-memory one. Calls come from the supervisor's thread; completions are called on it,
// later, in order.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/attempt.h"
#include "core/error.h"
#include "core/job.h"
#include "core/poison.h"
#include "core/segment.h"
#include "core/slicing.h"

namespace hostler {

// The files of a committing slice: moved from attempt_dir to their places after the transaction (idempotent; rolled
// forward at the start of the host), then attempt_dir is removed.
struct MoveFiles {
  std::string job;
  Interval slice;  // global
  std::int32_t input = 0;
  std::int64_t begin = 0;  // local, as is end
  std::int64_t end = 0;
  bool merge = false;  // OUTPUT/name instead of OUTPUT/parts/INPUT-BEGIN/name
  std::string attempt_dir;
  std::vector<std::string> files;
  bool committed = false;  // by a former host, which may have moved some of them
};

// A job as the ledger keeps it.
struct StoredJob {
  std::string name;
  std::string id;  // the same for every attempt
  JobIdentity identity;
  Manifest manifest;
  std::vector<SliceRow> rows;
  JobState state = JobState::Running;
  std::string reason;
  std::map<std::string, std::int64_t> counters;        // totals
  std::map<std::string, std::int64_t> merge_counters;  // what of them merge() counted: a resumed job runs it again
  Skipped skipped;                                     // in all that is committed
  std::int64_t attempts_noted = 0;                     // the last Attempt::seq
  std::string last_build;                              // hash, of the last of them; empty: none
  std::set<std::string> proven_builds;                 // hashes of those that have done a slice
  WorkerUsage usage;
  std::vector<DiedIn> died_in;  // slices in work when the last host died; not stored
  std::vector<MoveFiles>
      to_place;         // committed by a former host, for want of room maybe not in their places; not stored
  std::string problem;  // why it cannot go on (files that were committed have no place), or empty; not stored
  UnixMilliseconds created_at = 0;  // 0 in a CreateJob: now
  UnixMilliseconds ended_at = 0;
};

// Totals stop at what 64 bits hold: a plugin that counts beyond harms nobody.
[[nodiscard]] inline std::int64_t saturating_add(std::int64_t total, std::int64_t delta) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(total, delta, &sum)) return sum;
  return delta > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

// Steps of one transaction. Many wait for the disk when slices are small, so a step is small: what is large and rare lies
// elsewhere.
struct CreateJob {  // replaces a job of the same name with all it left (--fresh), files in its output folder included
  explicit CreateJob(StoredJob stored) : job(std::make_shared<const StoredJob>(std::move(stored))) {}
  std::shared_ptr<const StoredJob> job;  // never null
};
// --resume: new manifest, identity and rows; results, counters and files stay, but for the merge's. A checkpoint that no
// row has is taken back with all that its segments added.
struct ReplanJob {
  explicit ReplanJob(StoredJob stored) : job(std::make_shared<const StoredJob>(std::move(stored))) {}
  std::shared_ptr<const StoredJob> job;  // never null
};
struct ReopenJob {  // an ended job runs again, with what is given up tried again; all that merge() left is dropped
  std::string job;
  std::string output;
};
struct PutRows {
  std::string job;
  std::vector<RowDelta> deltas;
  std::vector<Attempt> attempts{};  // new ones, and those of which more is known
};
struct PutUsage {  // replaces what was known
  std::string job;
  WorkerUsage usage;
};
struct PutResult {
  std::string job;
  std::int32_t input = 0;
  std::int64_t begin = 0;  // local
  std::int64_t end = 0;
  bool merge = false;  // the job's own result
  std::string data;
};
struct AddCounters {
  std::string job;
  std::map<std::string, std::int64_t> deltas;
  bool merge = false;  // counted by merge(), which a resumed job runs again
};
// What is known of a record that was isolated, for a person: its row has the reason. Bytes are told once, the backtrace when
// it was found.
struct IsolatedRecord {
  std::int32_t input = 0;
  Interval at;  // local, whole, also where it leaves its slice
  std::optional<std::string> bytes;
  std::optional<std::string> backtrace;  // lines
};
struct PutIsolated {
  std::string job;
  IsolatedRecord record;
};
// Records of the slice that begins here, to be kept for a person.
struct PutAside {
  std::string job;
  std::int32_t input = 0;
  std::int64_t begin = 0;  // local
  std::vector<Aside> records;
};
// A segment has ended: replaces the slice's last checkpoint. What it has added since that comes as AddCounters and
// PutAside beside it.
struct PutCheckpoint {
  std::string job;
  std::int32_t input = 0;
  std::int64_t begin = 0;   // local
  std::int64_t global = 0;  // … and global
  std::shared_ptr<const Checkpoint> checkpoint;
  std::string data;  // what the plugin saved
};
// A slice has no checkpoint any more: it is done, or (`take_back`) begins anew, without what its segments had added.
struct EndCheckpoint {
  std::string job;
  std::int32_t input = 0;
  std::int64_t begin = 0;  // local
  bool take_back = false;
};
// An attempt that did not commit: its folder is removed after the transaction.
struct DropAttempt {
  std::string attempt_dir;
};
struct
    SetJobState {  // an ended job with files gets its manifest and _SUCCESS; a running one's reason: why it is stopped
  std::string job;
  JobState state = JobState::Running;
  std::string reason;
  UnixMilliseconds ended_at = 0;  // 0: now
};
// What an operator has said of an entry, until it is taken back.
enum class Halt {
  None,
  Stopped,  // services and jobs: no worker runs
  Paused,   // jobs: what runs ends its slice, nothing else is handed out
};
struct SetHalt {
  std::string entry;
  Halt halt = Halt::None;
};
using StoreStep = std::variant<CreateJob, ReplanJob, ReopenJob, PutRows, PutUsage, PutResult, AddCounters, PutAside,
                               PutIsolated, PutCheckpoint, EndCheckpoint, MoveFiles, DropAttempt, SetJobState, SetHalt>;
static_assert(sizeof(StoreStep) <= 192);
using StoreBatch = std::vector<StoreStep>;

class JobStore {
 public:
  using Done = std::function<void(Result<void>)>;
  virtual ~JobStore() = default;
  JobStore() = default;
  JobStore(const JobStore &) = delete;
  JobStore &operator=(const JobStore &) = delete;

  // One transaction, durable when `done` says so, then the moves and removals it asks for. All or nothing up to the
  // commit point; after an error of a move the slice stays committing and is rolled forward by the next start. What may
  // pass (a full disk, an I/O error) is tried again until it has; `done` waits for it.
  virtual void commit(StoreBatch batch, Done done) = 0;
  // Writes what merge() reads (committed ranges in order, counters, quarantined rest) to a file and tells its path.
  virtual void write_merge_input(const std::string &job, std::function<void(Result<std::string>)> done) = 0;
  // What the last checkpoint of the slice that begins here (local) saved.
  virtual void read_checkpoint(const std::string &job, std::int32_t input, std::int64_t begin,
                               std::function<void(Result<std::string>)> done) = 0;
  // Says whether all files that the job has committed are in its output folder: an error names the first that is not.
  virtual void check_outputs(const std::string &job, Done done) = 0;
  // Says whether the files are as the manifest has them: an error names the first that is not.
  virtual void check_inputs(std::vector<Input> inputs, Done done) = 0;
  // Finds a record in its file; an error when the file cannot be read or is not as the manifest has it.
  virtual void read_record(RecordQuery query, std::function<void(Result<FoundRecord>)> done) = 0;
};

}  // namespace hostler
