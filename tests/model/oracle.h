// What must have become of every single position of a job, by what the host has heard so far: the table of exit statuses
// and the rules for leases, in the simplest words. It knows nothing of rows, timers and processes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/exit_status.h"
#include "core/job.h"
#include "core/messages.h"

namespace hostler {

enum class Fate { Open, Done, GivenUp };

// A committed segment of a slice that is not done.
struct Segment {
  std::int64_t slice = 0;          // begins here
  std::int64_t state_version = 0;  // of the build that saved it
  bool operator==(const Segment &) const = default;
};

struct Place {
  Fate fate = Fate::Open;
  std::int32_t attempts = 0;
  std::int32_t temporaries = 0;
  bool struck = false;  // a worker has died at the record that begins here, and the next one that does isolates it
  std::optional<Segment> saved{};
  bool operator==(const Place &) const = default;
};

class Oracle {
 public:
  // `may_isolate`: its slices may be cut. What a line is nobody tells here, and nothing is bisected.
  Oracle(Manifest manifest, std::int32_t attempts, std::int32_t max_temporary, bool may_isolate);

  // One for each position; the last one is merge().
  [[nodiscard]] const std::vector<Place> &places() const { return places_; }
  [[nodiscard]] std::int64_t merge() const { return manifest_.positions(); }

  void from_zero();
  void go_on_anew();  // --resume: what is done stays, and every segment
  // The slice that begins here is handed out to a build with this version, without its segments. An error: it could have
  // gone on, or had none.
  [[nodiscard]] std::string take_back(std::int64_t begin, std::int64_t state_version);
  void retry();  // of all that is given up
  void set(std::vector<Place> places) { places_ = std::move(places); }
  // Another host, which knows what was durable.
  void restore(std::vector<Place> places);

  void started(WorkerId worker, std::int64_t state_version) { versions_[worker] = state_version; }
  // A lease is told to a worker. An error: somebody else has it, or it is not to be worked on.
  [[nodiscard]] std::string leased(WorkerId worker, const Lease &lease);
  void asked_to_stop(WorkerId worker) { stopping_.insert(worker); }
  void told_deadline(WorkerId worker, std::int64_t slice) { deadlines_[worker] = slice; }
  void aborted(WorkerId worker) { aborted_.insert(worker); }
  [[nodiscard]] std::string heard(WorkerId worker, const WorkerMessage &message);
  void died(WorkerId worker, const WaitStatus &status, const WorkerPart &page);

 private:
  struct Lent {
    std::uint64_t id = 0;
    std::int64_t next = 0;  // all before is accounted for
    std::int64_t end = 0;
    bool advanced = false;  // by a checkpoint
  };

  [[nodiscard]] std::string slice_ended(WorkerId worker, const SliceEnded &ended);
  [[nodiscard]] std::string segment_ended(WorkerId worker, const SegmentEnded &ended);
  void returned(WorkerId worker, const SliceEnded &ended, bool advanced);
  void done(std::int64_t begin, std::int64_t end);
  void charge(Interval slice);
  void strike(Interval slice, Interval record);
  void put_off(Interval slice);
  void give_up(Interval slice);
  [[nodiscard]] Lent *find(WorkerId worker, std::uint64_t lease);
  template <typename Change>
  void each(Interval slice, Change change);

  Manifest manifest_;
  std::int32_t attempts_;
  std::int32_t max_temporary_;
  bool may_isolate_;
  std::vector<Place> places_;
  std::map<WorkerId, std::int64_t> versions_;  // of the state that they can go on from
  std::map<WorkerId, std::vector<Lent>> lent_;
  std::set<WorkerId> stopping_;
  std::set<WorkerId> aborted_;
  std::set<WorkerId> leaving_;  // told a verdict after which a process ends
  std::map<WorkerId, std::int64_t> deadlines_;
};

}  // namespace hostler
