// What host and worker say to each other over the worker's channel (a stream socket): frames of a u32 size (of what
// follows), a u8 type, and a body in native byte order; both ends are the same binary. encode() makes a whole frame;
// decode() takes the body of one and refuses what is cut short, too long or out of range: a worker is not trusted.
//
//   host → worker   Start (once: this is GO), Lease (jobs: after each the worker works through it), Checkpointed (the
//                   answer to a SegmentEnded, for which the worker waits), Dismissed
//   worker → host   Loaded, Ready, LeaseCut, SegmentEnded, SliceEnded, LeaseEnded
// End of file tells the worker that the host is gone: it leaves.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/limits.h"
#include "core/machine.h"
#include "core/page.h"
#include "core/segment.h"
#include "core/slicing.h"

namespace hostler {

inline constexpr std::size_t kMaxCounters = 1024;  // the ABI's: different names in one job
inline constexpr std::size_t kMaxFrame = std::size_t{48}
                                         << 20;  // results are at most 16 MiB, counters and files come on top

// A code of `on_exit:`: run() that returns it counts as if it had returned another one.
struct CountedCode {
  std::int32_t code = 0;
  std::int32_t counts_as = 0;
  std::int32_t rule = 0;  // its place in the list
  bool operator==(const CountedCode &) const = default;
};

// All that a worker needs to know before its first slice.
struct Start {
  std::string name;  // the entry
  std::int32_t instance = 0;
  std::int32_t count = 1;
  std::string library;  // the plugin in the store
  std::string plugin;   // its file name, for words
  std::string cwd;
  std::uint32_t umask = 027;
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> params;
  bool job = false;
  std::string job_id;
  std::string attempts_dir;  // jobs: OUTPUT/.attempts
  std::int32_t stop_signal = 15;
  std::vector<CountedCode> codes;  // jobs: no code twice
  bool may_split = false;          // jobs: a slice may be cut at any multiple of its unit
  Limits limits;
  std::optional<User> user;  // whom it becomes
  std::string trouble;       // why it must not run: what it needs could not be given to it now
  bool operator==(const Start &) const = default;
};

// The last checkpoint of a slice, for its next attempt.
struct Saved {
  std::int64_t position = 0;        // global
  std::string data;                 // what the plugin saved
  std::string attempt_dir;          // where its files are, or empty
  std::vector<OutputLength> files;  // to be cut to these sizes; others in the folder are no part of it
  bool operator==(const Saved &) const = default;
};

// One contiguous run of slices. `inputs` are those that [begin, end) touches; the first of them is input `first_input` of
// the manifest, begins at global position `first_offset`, and its first slice has index `first_index`.
struct Lease {
  std::uint64_t id = 0;  // unique in the life of a host; names attempt folders
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int32_t attempt = 1;
  InputKind kind = InputKind::None;
  std::int64_t slice_size = 1;
  std::int64_t unit = 1;
  std::int64_t base = 0;
  std::int64_t plan_count = 0;  // slices of the whole plan
  std::int32_t first_input = 0;
  std::int64_t first_offset = 0;
  std::int64_t first_index = 0;
  std::vector<Input> inputs;
  std::int64_t items_first = 0;    // Items: item number of items[0]
  std::vector<std::string> items;  // Items: those of [begin, end)
  std::optional<Saved> saved;      // one slice, to go on from there
  std::string merge_input;         // not empty: call merge() on this file of results instead of run()
  bool operator==(const Lease &) const = default;
};

// What became of a segment: durable, or not (`error`), and then nothing has changed.
struct Checkpointed {
  std::uint64_t lease = 0;
  std::int64_t position = 0;  // global
  std::int32_t error = 0;     // an errno
  bool operator==(const Checkpointed &) const = default;
};

// The worker is wanted no more: it ends the slice it is in, and leaves. Only answers follow.
struct Dismissed {
  bool operator==(const Dismissed &) const = default;
};

// The plugin is loaded and about to run.
struct Loaded {
  bool operator==(const Loaded &) const = default;
};

// A service said that it is up.
struct Ready {
  bool operator==(const Ready &) const = default;
};

// The worker gives away the end of its lease: what lies in [cut, its end so far) it has not begun, and will not. The cut
// is where a slice begins, or, where slices may be split, anywhere at a multiple of the unit.
struct LeaseCut {
  std::uint64_t lease = 0;
  std::int64_t cut = 0;  // global
  bool operator==(const LeaseCut &) const = default;
};

// A checkpoint: all of the slice that begins at `begin` is done up to `position`, and this is what it has left since the
// last one. Also says that every slice of the lease before it is done and left nothing. The worker waits for the answer.
struct SegmentEnded {
  std::uint64_t lease = 0;
  std::int64_t begin = 0;     // global
  std::int64_t position = 0;  // global
  std::string data;           // the plugin's own
  std::map<std::string, std::int64_t> counters;
  std::vector<Aside> skipped;
  std::string attempt_dir;          // where the files are, or empty
  std::vector<OutputLength> files;  // all of the slice, fsynced
  bool operator==(const SegmentEnded &) const = default;
};

// A slice's verdict with all it leaves, of one with a checkpoint since that; also says that every slice of the lease before
// it is done and left nothing.
struct SliceEnded {
  std::uint64_t lease = 0;
  Interval slice;                     // global
  std::int32_t returned = 0;          // what run() returned
  std::int32_t rule = -1;             // the rule of `on_exit:` that decided, or -1
  std::int32_t counts_as = 0;         // by that rule
  std::string reason;                 // fail()'s words
  bool claimed = false;               // run() called claim()
  std::int64_t claimed_to = 0;        // global: where the last granted claim ended
  StopWord refused = StopWord::GoOn;  // the stop word that refused a claim
  bool signalled = false;             // the stop signal has come, whoever had sent it
  bool input_changed = false;         // the input is not as the manifest has it; `reason` names it
  bool io_failed = false;             // the outputs could not be made durable; `reason` says why
  bool no_room = false;               // … as their disk is full, which was found out whatever run() returned
  bool saved_lost = false;  // what its last checkpoint had written is not there; `reason` says what is missing
  std::string result;
  bool has_result = false;
  std::map<std::string, std::int64_t> counters;
  std::vector<Aside> skipped;
  std::string attempt_dir;         // where the files are, or empty
  std::vector<std::string> files;  // fsynced
  bool operator==(const SliceEnded &) const = default;
};

// All slices of the lease up to its end have returned DONE (those that left something were told one by one), or the worker
// stops short of its end because it was asked to: what follows `up_to` was not begun.
struct LeaseEnded {
  std::uint64_t lease = 0;
  std::int64_t up_to = 0;  // global
  bool operator==(const LeaseEnded &) const = default;
};

// The folder of one attempt at a slice, below OUTPUT/.attempts: "3-16777216.17", "merge.18". `input` and `begin` are the
// slice's (local), `lease` the lease's id.
[[nodiscard]] std::string attempt_folder(std::int32_t input, std::int64_t begin, bool merge, std::uint64_t lease);

using HostMessage = std::variant<Start, Lease, Checkpointed, Dismissed>;
using WorkerMessage = std::variant<Loaded, Ready, LeaseCut, SegmentEnded, SliceEnded, LeaseEnded>;

[[nodiscard]] std::string encode(const HostMessage &message);
[[nodiscard]] std::string encode(const WorkerMessage &message);
// `frame` is type and body, without the size.
[[nodiscard]] Result<HostMessage> decode_host_message(std::string_view frame);
[[nodiscard]] Result<WorkerMessage> decode_worker_message(std::string_view frame);

// Cuts a byte stream into frames.
class FrameReader {
 public:
  // Adds bytes as they came.
  void append(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole frame without its size, empty when there is none yet; an error when the stream cannot be right. The
  // view is valid until the next call.
  [[nodiscard]] Result<std::string_view> next();

 private:
  std::string buffer_;
  std::size_t taken_ = 0;
};

}  // namespace hostler
