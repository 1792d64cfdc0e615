#include "fakes/claiming_worker.h"

#include <deque>
#include <memory>
#include <optional>

#include "core/claims.h"

namespace hostler {
namespace {

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

 private:
  void begin_lease() {
    if (leases_.empty()) {
      worker_.page.stage = static_cast<std::uint32_t>(Stage::Idle);
      if (dismissed_) worker_.leave({false, 0, false});
      return;
    }
    const Lease &lease = leases_.front();
    plan_ = Manifest(lease.kind, lease.inputs, lease.slice_size, lease.unit, lease.base, {}, 1);
    shift_ = lease.first_offset;
    position_ = lease.begin - shift_;
    claims_.lend({lease.id, &plan_, {position_, lease.end - shift_}, shift_, worker_.start.may_split});
    next_slice();
  }

  void next_slice() {
    slice_ = claims_.next_slice(*this, position_);
    if (!slice_ || stop_word() != 0) {
      worker_.say(LeaseEnded{leases_.front().id, position_ + shift_});
      leases_.pop_front();
      return begin_lease();
    }
    worker_.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker_.page.begun = slice_->global.begin + shift_;
    worker_.page.claimed_from = worker_.page.claimed_to = next_ = slice_->begin;
    claims_.enter(*slice_, plan_.unit());
    claim();
  }

  void claim() {
    const std::int64_t unit = plan_.unit();
    const std::int64_t end = claims_.claim(*this, next_, next_ + how_.units * unit);
    if (end == next_) return end_slice();
    if (how_.claimed != nullptr)
      for (std::int64_t p = next_; p < end; p += unit) ++(*how_.claimed)[p];
    worker_.page.claimed_from = next_;
    worker_.page.claimed_to = end;
    const std::int64_t units = (end - next_ + unit - 1) / unit;
    next_ = end;
    worker_.after(how_.each * units, [this] { claim(); });
  }

  void end_slice() {
    const Claims::Covered covered = claims_.covered(*slice_);
    SliceEnded ended;
    ended.lease = leases_.front().id;
    ended.slice = {slice_->global.begin + shift_, covered.slice.end + shift_};
    ended.claimed = claims_.called();
    ended.claimed_to = covered.claimed_to + shift_;
    ended.refused = claims_.refused();
    ended.has_result = true;
    ended.result = std::to_string(next_);
    ended.counters["positions"] = next_ - slice_->begin;
    worker_.say(ended);
    position_ = covered.slice.end;
    next_slice();
  }

  FakeWorker &worker_;
  Claiming how_;
  std::deque<Lease> leases_;
  bool dismissed_ = false;
  Manifest plan_;
  std::int64_t shift_ = 0;
  std::int64_t position_ = 0;
  std::int64_t next_ = 0;
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
  script.on_stop = [](FakeWorker &) {};
  script.on_dismiss = [of](FakeWorker &worker) { of(worker).dismiss(); };
  return script;
}

}  // namespace hostler
