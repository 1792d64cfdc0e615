// The layout of a worker's page: 4096 bytes of a file on tmpfs, shared by the worker (mapped) and the host (pread, pwrite).
// Behind it, in the same slot of the file, lies the room for what a crash leaves (core/crash.h), which costs no memory
// until there is one.
//
// Two writers, two parts: the host writes only HostPart, the worker only WorkerPart, each on cache lines of its own. The
// host trusts nothing that stands in WorkerPart: it is a hint for words, progress and whom to charge. A page of another
// layout version is not read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace hostler {

inline constexpr std::size_t kPageSize = 4096;
inline constexpr std::size_t kSlotSize = std::size_t{128} << 10;  // from one worker's page to the next one's
inline constexpr std::uint32_t kPageLayout = 5;

// How far the child has come. Each stage is written before its work begins, so a death is told by the last one.
enum class Stage : std::uint32_t {
  None = 0,           // never forked
  SetUp = 1,          // signals, group, descriptors, folder, environment
  Waiting = 2,        // for GO
  Loading = 3,        // dlopen, ABI check
  Preparing = 9,      // in prepare()
  Idle = 4,           // ready for run(): a service about to call it, a job's between slices
  Running = 5,        // in run() or merge()
  Returned = 6,       // run() has returned and the verdict is fixed; what it buffered is being written
  Checkpointing = 8,  // in run(), in a checkpoint: waits for the disk and the host
  Settling = 7,       // jobs: that is written; the runtime makes the slice's files durable and tells the verdict
};

// Why run() is asked to stop; the numbers are the ABI's (HOSTLER_DRAIN …).
enum class StopWord : std::uint32_t { GoOn = 0, Drain = 1, Cancel = 2, Deadline = 3 };

struct HostPart {
  std::uint32_t layout = 0;
  std::uint32_t go = 0;  // 1: the host holds the pidfd; before that no plugin code runs
  // Both are read in one load, at every claim.
  std::uint32_t stop = 0;   // StopWord
  std::uint32_t share = 0;  // how often the host has asked the worker to give away a part of its lease
  std::int32_t count = 0;   // live number of instances of a service
  // For the host after this one (core/host_deaths.h): who it is, whose slices it works on, with which build.
  std::int32_t instance = 0;
  std::uint64_t job = 0;
  std::array<char, 32> build{};  // the hash, as bytes
};

struct WorkerPart {
  std::uint32_t layout = 0;
  std::uint32_t stage = 0;        // Stage
  std::uint64_t beats = 0;        // heartbeats and progress calls; the host times them, and claims
  std::int64_t begun = -1;        // global position of the slice begun last
  std::int64_t begun_at = 0;      // … when: nanoseconds of CLOCK_MONOTONIC
  std::int64_t done_up_to = -1;   // global position: all before it, within the lease, has returned DONE
  std::int64_t claimed_from = 0;  // local positions, of the last claim granted
  std::int64_t claimed_to = 0;
  std::int64_t at = -1;            // local position of the record in work, or -1
  std::int64_t progress_done = 0;  // as the plugin counts
  std::int64_t progress_total = 0;
  std::int32_t returned = 0;  // what run() returned, valid in Stage::Returned
  std::int32_t failed_before_run =
      0;  // 1: `reason` says why the plugin could not be loaded or the worker not set up; 2: a passing want (memory, descriptors)
  std::uint32_t ready = 0;  // the plugin called ready()
  std::uint32_t reason_size = 0;
  std::array<char, 1024> reason{};  // fail()'s words, or why loading failed
};

struct Page {
  HostPart host;
  WorkerPart worker;
};

static_assert(sizeof(HostPart) == 64);
static_assert(offsetof(HostPart, stop) % 8 == 0 && offsetof(HostPart, share) == offsetof(HostPart, stop) + 4);
static_assert(sizeof(Page) <= kPageSize);

// The words in a page as the host reads them: bounded, control characters replaced by '?'.
[[nodiscard]] std::string page_reason(const WorkerPart &page);

}  // namespace hostler
