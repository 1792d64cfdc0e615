// Workers as threads on real pages, and a host that asks for shares and stops them at random all the time: under
// ThreadSanitizer too. Each position is claimed once, as nothing dies.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "core/claims.h"
#include "core/exit_status.h"
#include "core/job.h"
#include "edge/unique_fd.h"
#include "worker/shared_page.h"

namespace hostler {
namespace {

constexpr std::int64_t kPositions = 30000;
constexpr std::int64_t kSlice = 3500;
constexpr std::size_t kWorkers = 3;
const TimePoint kNow{std::chrono::hours(1)};

template <typename T>
class Queue {
 public:
  void push(T value) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(value));
    filled_.notify_one();
  }
  T pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return !queue_.empty(); });
    T value = std::move(queue_.front());
    queue_.pop_front();
    return value;
  }
  std::optional<T> try_pop() {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return std::nullopt;
    std::optional<T> value = std::move(queue_.front());
    queue_.pop_front();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<T> queue_;
};

struct Told {
  WorkerId worker;
  std::optional<WorkerMessage> message;  // none: it has left
};

class Worker {
 public:
  Worker(WorkerId id, SharedPage page, Queue<Told> &told, std::vector<std::atomic<int>> &claimed)
      : id_(id), page_(page), told_(told), claimed_(claimed), random_(id), thread_([this] { run(); }) {}
  void join() { thread_.join(); }
  // From the host; none: dismissed.
  Queue<std::optional<Lease>> leases;

  [[nodiscard]] std::uint64_t wishes() const { return page_.wishes(); }
  [[nodiscard]] std::uint32_t stop_word() const { return page_.stop(); }
  [[nodiscard]] std::uint32_t shares_asked() const { return page_.shares_asked(); }
  [[nodiscard]] static bool signalled() { return false; }
  void tell(const WorkerMessage &message) { told_.push({id_, message}); }

 private:
  void run() {
    while (const auto lease = leases.pop())
      if (!work(*lease)) break;
    told_.push({id_, std::nullopt});
  }

  bool work(const Lease &lease) {
    const Manifest plan(lease.kind, lease.inputs, lease.slice_size, lease.unit, lease.base, {}, 1);
    claims_.lend({lease.id, &plan, {lease.begin, lease.end}, 0, true});
    std::int64_t position = lease.begin;
    while (const auto slice = claims_.next_slice(*this, position)) {
      if (stop_word() != 0) break;
      run_slice(lease, *slice);
      position = claims_.covered(*slice).slice.end;
    }
    tell(LeaseEnded{lease.id, position});
    return stop_word() == 0;
  }

  void run_slice(const Lease &lease, const SliceSpan &slice) {
    claims_.enter(slice, lease.unit, slice.begin);
    std::int64_t next = slice.begin;
    while (true) {
      const std::int64_t to = next + 1 + static_cast<std::int64_t>(random_() % 5);
      const std::int64_t end = claims_.grant(*this, next, to) ? to : claims_.claim(*this, next, to);
      if (end <= next) break;
      page_.set_claim(next, end);
      if (random_() % 16 == 0) std::this_thread::yield();
      for (; next < end; ++next) claimed_[static_cast<std::size_t>(next)].fetch_add(1);
    }
    const Claims::Covered covered = claims_.covered(slice);
    SliceEnded ended;
    ended.lease = lease.id;
    ended.slice = covered.slice;
    ended.claimed = claims_.called();
    ended.claimed_to = covered.claimed_to;
    ended.refused = claims_.refused();
    tell(ended);
  }

  WorkerId id_;
  SharedPage page_;
  Queue<Told> &told_;
  std::vector<std::atomic<int>> &claimed_;
  std::mt19937_64 random_;
  Claims claims_;
  std::thread thread_;
};

class Host {
 public:
  Host() : job_({}, {InputKind::Range, {{"", kPositions, 0, 0, 0}}, kSlice, 1, 0, {}, 1}, {}), claimed_(kPositions) {
    EXPECT_EQ(::ftruncate(pages_.get(), static_cast<off_t>(kWorkers * kSlotSize)), 0);
    for (std::size_t i = 0; i < kWorkers; ++i) begin(i);
  }

  void run() {
    while (job_.state() == JobState::Running) {
      while (auto told = told_.try_pop()) hear(*told);
      disturb();
      std::this_thread::yield();
    }
    for (Seat &seat : seats_)
      if (seat.worker) seat.worker->leases.push(std::nullopt);
    for (Seat &seat : seats_)
      if (seat.worker) seat.worker->join();
    for (std::int64_t p = 0; p < kPositions; ++p) ASSERT_EQ(claimed_[static_cast<std::size_t>(p)], 1) << p;
  }
  [[nodiscard]] std::int64_t cuts() const { return cuts_; }
  [[nodiscard]] std::int64_t stops() const { return stops_; }

 private:
  struct Seat {
    std::unique_ptr<Worker> worker;
    WorkerId id = 0;
    HostPart *words = nullptr;
  };

  void begin(std::size_t index) {
    auto page = SharedPage::map(pages_.get(), static_cast<std::uint32_t>(index));
    ASSERT_TRUE(page);
    Seat &seat = seats_[index];
    seat.id = ++last_id_;
    seat.words = &static_cast<Page *>(page->slot())->host;
    std::atomic_ref(seat.words->stop).store(0);
    seat.worker = std::make_unique<Worker>(seat.id, *page, told_, claimed_);
    feed(seat);
  }

  void feed(Seat &seat) {
    if (job_.holds_lease(seat.id)) return;
    if (auto lease = job_.lease(seat.id, kNow, 2)) seat.worker->leases.push(std::move(lease));
  }

  void hear(Told &told) {
    const auto seat = std::find_if(std::begin(seats_), std::end(seats_), [&](Seat &s) { return s.id == told.worker; });
    ASSERT_NE(seat, std::end(seats_));
    if (!told.message) {
      (void)job_.lost(told.worker, std::nullopt, {Verdict::Interrupted, ""}, kNow, 0.5);
      seat->worker->join();
      return begin(static_cast<std::size_t>(seat - std::begin(seats_)));
    }
    if (const auto *cut = std::get_if<LeaseCut>(&*told.message)) {
      ASSERT_TRUE(job_.cut(told.worker, *cut));
      ++cuts_;
    } else if (const auto *ended = std::get_if<SliceEnded>(&*told.message)) {
      ASSERT_TRUE(job_.ended(told.worker, *ended, judge(*ended, true), kNow, 0.5));
    } else if (const auto *lease = std::get_if<LeaseEnded>(&*told.message)) {
      ASSERT_TRUE(job_.lease_ended(told.worker, *lease));
    }
    for (Seat &each : seats_) feed(each);
  }

  void disturb() {
    Seat &seat = seats_[random_() % kWorkers];
    if (random_() % 4 == 0) std::atomic_ref(seat.words->share).fetch_add(1);
    if (random_() % 50 != 0) return;
    ++stops_;
    std::atomic_ref(seat.words->stop).store(1 + static_cast<std::uint32_t>(random_() % 2));
    seat.worker->leases.push(std::nullopt);  // nothing more
  }

  UniqueFd pages_{::memfd_create("pages", MFD_CLOEXEC)};
  Job job_;
  std::vector<std::atomic<int>> claimed_;
  Queue<Told> told_;
  Seat seats_[kWorkers];
  WorkerId last_id_ = 0;
  std::mt19937_64 random_{1};
  std::int64_t cuts_ = 0;
  std::int64_t stops_ = 0;
};

TEST(ClaimsStress, EveryPositionIsClaimedOnceWhateverTheHostWants) {
  std::int64_t cuts = 0;
  std::int64_t stops = 0;
  while ((cuts < 500 || stops < 20) && !HasFailure()) {  // a machine may let one of them run alone for a while
    Host host;
    host.run();
    cuts += host.cuts();
    stops += host.stops();
  }
}

}  // namespace
}  // namespace hostler
