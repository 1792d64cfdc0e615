#include "fakes/claiming_worker.h"

#include <csignal>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "core/claims.h"

namespace hostler {
namespace {

constexpr Duration kDawdles = std::chrono::seconds(30);

std::int32_t returned_by(Deed deed) {
  switch (deed) {
    case Deed::Fail: return 70;
    case Deed::Yield: return 85;
    case Deed::RetryLater:
    case Deed::NoRoom: return 75;
    case Deed::BadData: return 65;
    case Deed::BadConfig: return 78;
    case Deed::GoOn:
    case Deed::StopShort:
    case Deed::Crash:
    case Deed::Die:
    case Deed::Exit:
    case Deed::Hang:
    case Deed::Dawdle: return 0;
  }
  return 0;
}

class ClaimingWorker {
 public:
  ClaimingWorker(FakeWorker &worker, const Claiming &how) : worker_(worker), how_(how) {}

  // What Claims wants to know.
  [[nodiscard]] std::uint64_t wishes() const { return (std::uint64_t{worker_.shares} << 32) | stop_word(); }
  [[nodiscard]] std::uint32_t stop_word() const { return static_cast<std::uint32_t>(worker_.stop); }
  [[nodiscard]] std::uint32_t shares_asked() const { return worker_.shares; }
  [[nodiscard]] bool signalled() const { return false; }
  void tell(const LeaseCut &cut) { worker_.say(cut); }

  void take(const Lease &lease) {
    leases_.push_back(lease);
    if (leases_.size() == 1) begin_lease();
  }

  void dismiss() {
    dismissed_ = true;
    if (leases_.empty()) worker_.leave({false, 0, false});
  }

  // The answer to its checkpoint.
  void checkpointed(const Checkpointed &answer) {
    worker_.page.stage = static_cast<std::uint32_t>(Stage::Running);
    if (answer.error == 0) {
      claims_.checkpointed(next_);
      segment_ = next_;
    }
    work(how_.each, [this] { claim(); });  // it may die before
  }

  // Its stop signal has come.
  void cancel() {
    if (!working_on_whole_) return;
    if (how_.manner == Manner::Yields) end_slice(85);
    if (how_.manner == Manner::Leaves) worker_.leave({false, 0, false});
  }

 private:
  void begin_lease() {
    if (leases_.empty()) {
      worker_.page.stage = static_cast<std::uint32_t>(Stage::Idle);
      if (dismissed_) worker_.leave({false, 0, false});
      return;
    }
    const Lease &lease = leases_.front();
    if (!lease.merge_input.empty()) return merge();
    plan_ = Manifest(lease.kind, lease.inputs, lease.slice_size, lease.unit, lease.base, {}, 1);
    shift_ = lease.first_offset;
    position_ = lease.begin - shift_;
    const bool may_split = worker_.start.may_split && lease.kind != InputKind::File;
    const std::int64_t resume = lease.saved ? lease.saved->position - shift_ : position_;
    claims_.lend({lease.id, &plan_, {position_, lease.end - shift_}, shift_, may_split, resume});
    next_slice();
  }

  void next_slice() {
    slice_ = claims_.next_slice(*this, position_);
    if (!slice_ || stop_word() != 0) return end_lease();
    begin(slice_->global.begin + shift_);
    const auto &saved = leases_.front().saved;
    next_ = saved ? saved->position - to_global() : slice_->begin;
    worker_.page.claimed_from = worker_.page.claimed_to = segment_ = next_;
    claims_.enter(*slice_, plan_.unit(), next_);
    if (how_.manner == Manner::Claims) return claim();
    working_on_whole_ = true;
    const Interval whole{next_ + to_global(), slice_->global.end + shift_};
    next_ = slice_->end;
    do_with(whole, how_.each * (whole.end - whole.begin), [this] { end_slice(0); });
  }

  void end_lease() {
    worker_.say(LeaseEnded{leases_.front().id, position_ + shift_});
    leases_.pop_front();
    begin_lease();
  }

  void begin(std::int64_t position) {
    worker_.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker_.page.begun = position;
    ++step_;
  }

  void claim() {
    const std::int64_t unit = plan_.unit();
    const std::int64_t end = claims_.claim(*this, next_, next_ + how_.units * unit);
    if (end == next_) return end_slice(0);
    if (how_.claimed != nullptr)
      for (std::int64_t p = next_; p < end; p += unit) ++(*how_.claimed)[p];
    worker_.page.claimed_from = next_;
    worker_.page.claimed_to = end;
    const std::int64_t units = (end - next_ + unit - 1) / unit;
    const Interval claimed{next_ + to_global(), end + to_global()};
    next_ = end;
    do_with(claimed, how_.each * units, [this] { go_on(); });
  }

  void go_on() {
    if (how_.checkpoint_every == 0 || ++claims_made_ % how_.checkpoint_every != 0 || !claims_.may_checkpoint(next_))
      return claim();
    SegmentEnded ended;
    ended.lease = leases_.front().id;
    ended.begin = slice_->global.begin + shift_;
    ended.position = next_ + to_global();
    ended.data = std::to_string(next_);
    if (how_.leave_segment != nullptr) how_.leave_segment(leases_.front(), since_checkpoint(), ended);
    worker_.page.stage = static_cast<std::uint32_t>(Stage::Checkpointing);
    worker_.say(ended);
  }

  // From what the plugin counts to what the job counts.
  [[nodiscard]] std::int64_t to_global() const { return slice_->global.begin + shift_ - slice_->begin; }
  [[nodiscard]] Interval since_checkpoint() const { return {segment_ + to_global(), next_ + to_global()}; }

  void do_with(Interval positions, Duration time, const std::function<void()> &then) {
    const Deed deed = how_.deed == nullptr ? Deed::GoOn : how_.deed(worker_, positions);
    switch (deed) {
      case Deed::Dawdle: time += kDawdles; [[fallthrough]];
      case Deed::GoOn: return work(time, then);
      case Deed::Hang: return;
      case Deed::Crash: return worker_.leave({true, SIGSEGV, false});
      case Deed::Die: return worker_.leave({true, SIGKILL, false});
      case Deed::Exit: return worker_.leave({false, 3, false});
      case Deed::StopShort:
      case Deed::Fail:
      case Deed::Yield:
      case Deed::RetryLater:
      case Deed::NoRoom:
      case Deed::BadData:
      case Deed::BadConfig: return work(time, [this, deed] { end_slice(returned_by(deed), deed); });
    }
  }

  // Unless something else has become of the slice meanwhile.
  void work(Duration time, const std::function<void()> &then) {
    worker_.after(time, [this, then, step = step_] {
      if (step == step_) then();
    });
  }

  void merge() {
    const Lease &lease = leases_.front();
    begin(lease.begin);
    slice_.reset();
    working_on_whole_ = how_.manner != Manner::Claims;
    do_with({lease.begin, lease.end}, how_.each, [this] { end_slice(0); });
  }

  void end_slice(std::int32_t returned, Deed deed = Deed::GoOn) {
    working_on_whole_ = false;
    ++step_;
    SliceEnded ended = slice_ ? of_slice(deed == Deed::StopShort) : of_merge();
    ended.returned = returned;
    ended.io_failed = ended.no_room = deed == Deed::NoRoom;
    ended.signalled = worker_.stop >= StopWord::Cancel;
    if (returned == 0) leave(ended);
    worker_.say(ended);
    if (returned != 0 && returned != 65 && returned != 75 && returned != 85) return worker_.return_from_run(returned);
    if (slice_) {
      position_ = ended.slice.end - shift_;
      return ended.no_room ? end_lease() : next_slice();
    }
    worker_.say(LeaseEnded{leases_.front().id, leases_.front().end});
    leases_.pop_front();
    begin_lease();
  }

  [[nodiscard]] SliceEnded of_merge() const {
    SliceEnded ended;
    ended.lease = leases_.front().id;
    ended.slice = {leases_.front().begin, leases_.front().end};
    return ended;
  }

  // Who stops short leaves out what it has claimed since its last checkpoint.
  [[nodiscard]] SliceEnded of_slice(bool short_of_end) const {
    const Claims::Covered covered = claims_.covered(*slice_);
    SliceEnded ended;
    ended.lease = leases_.front().id;
    ended.slice = {slice_->global.begin + shift_, covered.slice.end + shift_};
    ended.claimed = claims_.called() || short_of_end;
    ended.claimed_to = short_of_end ? segment_ + to_global() : covered.claimed_to + shift_;
    ended.refused = claims_.refused();
    return ended;
  }

  void leave(SliceEnded &ended) const {
    if (how_.leave != nullptr) {
      const bool merge = !slice_;
      const std::int64_t begin = merge || next_ == slice_->begin ? ended.slice.begin : since_checkpoint().begin;
      return how_.leave(leases_.front(), {begin, ended.slice.end}, ended);
    }
    ended.has_result = true;
    ended.result = std::to_string(next_);
    ended.counters["positions"] = next_ - slice_->begin;
  }

  FakeWorker &worker_;
  Claiming how_;
  std::deque<Lease> leases_;
  bool dismissed_ = false;
  bool working_on_whole_ = false;
  Manifest plan_;
  std::int64_t shift_ = 0;
  std::int64_t position_ = 0;
  std::int64_t next_ = 0;
  std::int64_t segment_ = 0;  // where it begins
  std::int64_t claims_made_ = 0;
  std::int64_t step_ = 0;  // what was begun before has no say any more
  std::optional<SliceSpan> slice_;
  Claims claims_;
};

}  // namespace

Script claiming_script(const Claiming &claiming) {
  auto workers = std::make_shared<std::map<const FakeWorker *, std::unique_ptr<ClaimingWorker>>>();
  const auto of = [workers, claiming](FakeWorker &worker) -> ClaimingWorker & {
    auto &found = (*workers)[&worker];
    if (!found) found = std::make_unique<ClaimingWorker>(worker, claiming);
    return *found;
  };
  Script script;
  script.on_lease = [of](FakeWorker &worker, const Lease &lease) { of(worker).take(lease); };
  script.on_stop = [of](FakeWorker &worker) {
    if (worker.stop >= StopWord::Cancel) of(worker).cancel();
  };
  script.on_checkpointed = [of](FakeWorker &worker, const Checkpointed &answer) { of(worker).checkpointed(answer); };
  script.on_dismiss = [of](FakeWorker &worker) { of(worker).dismiss(); };
  return script;
}

}  // namespace hostler
