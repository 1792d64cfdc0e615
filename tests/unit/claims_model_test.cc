// Every interleaving of a worker's claims with what the host does meanwhile, on the real functions of both sides: Claims
// in the worker, Job in the host. A step of the worker is each time that it reads a word of the page or tells something;
// between any two of them the host may do any of its own, or the worker may die. However they fall, each position is
// worked on by one owner at a time, and committed once.
//
// The host's steps: it asks for a share; it asks the worker to stop (DRAIN, CANCEL, or a signal from somewhere else); it
// reads what the worker has told so far and lets another worker have what has come back. What that other one does touches
// only the host, so it is one step. A history is a list of choices, walked through like the digits of a number.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/claims.h"
#include "core/exit_status.h"
#include "core/job.h"

namespace hostler {
namespace {

constexpr WorkerId kA = 1;
constexpr WorkerId kB = 2;
const TimePoint kNow{std::chrono::hours(1)};

class Choices {
 public:
  int choose(int options) {
    if (at_ == digits_.size()) digits_.push_back({0, options});
    return digits_[at_++].chosen;
  }
  // The next history, or false: that was the last one.
  bool next() {
    at_ = 0;
    while (!digits_.empty() && ++digits_.back().chosen == digits_.back().of) digits_.pop_back();
    return !digits_.empty();
  }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (const auto &digit : digits_) text += std::to_string(digit.chosen);
    return text;
  }

 private:
  struct Digit {
    int chosen;
    int of;
  };
  std::vector<Digit> digits_;
  std::size_t at_ = 0;
};

// How often the host may do each thing in one history.
struct Budget {
  int asks = 0;
  int drains = 0;
  int cancels = 0;
  int signals = 0;
  int reads = 0;  // of what A has told
  int deaths = 0;
};

struct Shape {
  InputKind kind = InputKind::Range;
  std::int64_t size = 6;
  std::int64_t slice = 6;
  std::int64_t unit = 1;
  std::int64_t block = 1;  // units in a claim
  bool may_split = true;
  int leases = 1;                // that A has at once
  std::int64_t in_lease = 1000;  // slices, at most
};

struct Death {};

class History {
 public:
  History(const Shape &shape, const Budget &budget, Choices &choices)
      : shape_(shape), budget_(budget), choices_(choices), job_(settings(), plan(), {}) {}

  void run() {
    std::vector<Lease> leases;
    for (int i = 0; i < shape_.leases; ++i) {
      const auto lease = job_.lease(kA, kNow, shape_.in_lease);
      ASSERT_TRUE(lease);
      leases.push_back(*lease);
    }
    bool died = false;
    try {
      Claims claims;  // knows which shares it has given, whichever lease they were of
      for (const Lease &lease : leases) work(kA, lease, claims, *this);
      pause();
    } catch (const Death &) {
      died = true;
    }
    running_ = false;
    hear(kA);
    if (died) {
      (void)job_.lost(kA, begun_, {Verdict::Crash, "died"}, kNow, 0.5);
      release(kA);
    }
    ASSERT_FALSE(job_.holds_lease(kA));
    let_b_work();
    check();
  }

  // What Claims of worker A wants to know: each a step.
  std::uint64_t wishes() { return pause(), (std::uint64_t{shares_} << 32) | stop_; }
  std::uint32_t stop_word() { return pause(), std::max(stop_, own_stop_); }
  std::uint32_t shares_asked() { return pause(), shares_; }
  bool signalled() { return pause(), own_stop_ != 0; }
  void tell(const WorkerMessage &message) {
    pause();
    told_[kA].push_back(message);
  }

 private:
  // Worker B has nobody who wants anything of it.
  struct Undisturbed {
    History &history;
    static std::uint64_t wishes() { return 0; }
    static std::uint32_t stop_word() { return 0; }
    static std::uint32_t shares_asked() { return 0; }
    static bool signalled() { return false; }
    void tell(const WorkerMessage &message) const { history.told_[kB].push_back(message); }
  };

  static JobSettings settings() {
    JobSettings settings;
    settings.attempts = 100;
    settings.backoff.jitter = 0;
    settings.backoff.delay = Duration{};
    return settings;
  }
  [[nodiscard]] Manifest plan() const {
    return {shape_.kind, {{"f", shape_.size, 1, 2, 3}}, shape_.slice, shape_.unit, 0, {}, 1};
  }

  // Between two steps of A the host may do any number of things.
  void pause() {
    while (running_) {
      const std::pair<int *, int> options[] = {{&budget_.asks, 1},    {&budget_.drains, 1}, {&budget_.cancels, 1},
                                               {&budget_.signals, 1}, {&budget_.reads, 1},  {&budget_.deaths, 1}};
      std::vector<int> open;
      for (int i = 0; i < 6; ++i)
        if (*options[i].first > 0) open.push_back(i);
      const int chosen = choices_.choose(static_cast<int>(open.size()) + 1);
      if (chosen == 0) return;
      const int what = open[static_cast<std::size_t>(chosen - 1)];
      --*options[what].first;
      switch (what) {
        case 0: ++shares_; break;
        case 1: stop_ = std::max(stop_, 1U); break;
        case 2: stop_ = std::max(stop_, 2U); break;
        case 3: own_stop_ = 2; break;
        case 4:
          hear(kA);
          let_b_work();
          break;
        default: throw Death();
      }
    }
  }

  // As JobLoop does it.
  template <typename Host>
  void work(WorkerId worker, const Lease &lease, Claims &claims, Host &&host) {
    const Manifest plan(lease.kind, lease.inputs, lease.slice_size, lease.unit, lease.base, {}, 1);
    claims.lend({lease.id, &plan, {lease.begin, lease.end}, 0, shape_.may_split});
    std::int64_t position = lease.begin;
    while (const auto slice = claims.next_slice(host, position)) {
      if (host.stop_word() != 0) break;
      if (worker == kA) begun_ = slice->global.begin;
      run_slice(worker, lease, claims, *slice, host);
      position = claims.covered(*slice).slice.end;
      if (worker == kA) begun_.reset();
    }
    host.tell(LeaseEnded{lease.id, position});
  }

  template <typename Host>
  void run_slice(WorkerId worker, const Lease &lease, Claims &claims, const SliceSpan &slice, Host &host) {
    claims.enter(slice, lease.unit, slice.begin);
    std::int64_t next = slice.begin;
    while (true) {
      const std::int64_t to = next + shape_.block * lease.unit;
      const std::int64_t end = claims.grant(host, next, to) ? to : claims.claim(host, next, to);
      ASSERT_GE(end, next);
      if (end == next) break;
      for (; next < end; ++next) own(worker, next);
    }
    const Claims::Covered covered = claims.covered(slice);
    SliceEnded ended;
    ended.lease = lease.id;
    ended.slice = covered.slice;
    ended.claimed = claims.called();
    ended.claimed_to = covered.claimed_to;
    ended.refused = claims.refused();
    host.tell(ended);
  }

  void own(WorkerId worker, std::int64_t position) {
    const auto owner = owners_.find(position);
    if (owner != owners_.end()) ADD_FAILURE() << position << " has two owners";
    if (committed_.contains(position)) ADD_FAILURE() << position << " is worked on after it was committed";
    owners_[position] = worker;
  }
  void release(WorkerId worker) {
    std::erase_if(owners_, [&](const auto &owner) { return owner.second == worker; });
  }

  // The host reads what a worker has told.
  void hear(WorkerId worker) {
    auto &told = told_[worker];
    for (; !told.empty(); told.pop_front()) {
      if (const auto *cut = std::get_if<LeaseCut>(&told.front())) {
        ASSERT_TRUE(job_.cut(worker, *cut)) << cut->cut;
      } else if (const auto *ended = std::get_if<SliceEnded>(&told.front())) {
        settle(worker, *ended);
      } else if (const auto *lease = std::get_if<LeaseEnded>(&told.front())) {
        ASSERT_TRUE(job_.lease_ended(worker, *lease)) << lease->up_to;
      }
    }
  }

  void settle(WorkerId worker, const SliceEnded &ended) {
    const Judgement judgement = judge(ended, stop_ != 0 || own_stop_ != 0);
    const auto outcome = job_.ended(worker, ended, judgement, kNow, 0.5);
    ASSERT_TRUE(outcome) << outcome.error().text();
    ASSERT_TRUE(judgement.verdict == Verdict::Done || judgement.verdict == Verdict::Yield) << judgement.reason;
    for (std::int64_t p = ended.slice.begin; p < ended.slice.end; ++p) {
      const bool owned = owners_.erase(p) > 0;
      if (judgement.verdict != Verdict::Done) continue;
      ASSERT_TRUE(owned) << p << " was committed by somebody who had not claimed it";
      ASSERT_TRUE(committed_.insert(p).second) << p << " was committed twice";
    }
  }

  void let_b_work() {
    while (const auto lease = job_.lease(kB, kNow, 1000)) {
      Claims claims;
      work(kB, *lease, claims, Undisturbed{*this});
      hear(kB);
    }
  }

  void check() {
    ASSERT_EQ(job_.state(), JobState::Succeeded);
    ASSERT_EQ(static_cast<std::int64_t>(committed_.size()), shape_.size);
    ASSERT_TRUE(owners_.empty());
    std::int64_t end = 0;
    for (const SliceRow &row : job_.rows()) {
      ASSERT_EQ(row.begin, end);
      ASSERT_EQ(row.state, SliceState::Done);
      end = row.end;
    }
    ASSERT_EQ(end, shape_.size);
  }

  Shape shape_;
  Budget budget_;
  Choices &choices_;
  Job job_;
  bool running_ = true;
  std::uint32_t stop_ = 0;  // the words in A's page
  std::uint32_t shares_ = 0;
  std::uint32_t own_stop_ = 0;
  std::optional<std::int64_t> begun_;
  std::map<WorkerId, std::deque<WorkerMessage>> told_;
  std::map<std::int64_t, WorkerId> owners_;  // of what is claimed and not settled
  std::set<std::int64_t> committed_;
};

std::int64_t walk(const Shape &shape, const Budget &budget) {
  Choices choices;
  std::int64_t histories = 0;
  do {
    History(shape, budget, choices).run();
    ++histories;
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "history " << choices.text();
      break;
    }
  } while (choices.next());
  return histories;
}

TEST(ClaimsModel, SharesOfOneSlice) {
  EXPECT_GT(walk({.size = 4, .slice = 4}, {.asks = 2, .reads = 1}), 500);
}

TEST(ClaimsModel, AShareThatIsCutAgain) {
  EXPECT_GT(walk({.size = 3, .slice = 3}, {.asks = 2, .reads = 2}), 500);
}

TEST(ClaimsModel, SharesOfSeveralSlices) {
  EXPECT_GT(walk({.size = 4, .slice = 2}, {.asks = 2, .reads = 1}), 500);
}

TEST(ClaimsModel, SharesOfSlicesThatMayNotBeCut) {
  EXPECT_GT(walk({.size = 6, .slice = 2, .block = 2, .may_split = false}, {.asks = 2, .reads = 1}), 500);
}

TEST(ClaimsModel, SharesOfRecords) {
  EXPECT_GT(walk({.kind = InputKind::Records, .size = 9, .slice = 9, .unit = 3}, {.asks = 2, .reads = 1}), 500);
}

TEST(ClaimsModel, AStopAmongShares) {
  EXPECT_GT(walk({.size = 4, .slice = 4}, {.asks = 1, .drains = 1, .reads = 1}), 500);
}

TEST(ClaimsModel, ACancelAfterADrain) {
  EXPECT_GT(walk({.size = 4, .slice = 2}, {.drains = 1, .cancels = 1, .reads = 1}), 500);
}

TEST(ClaimsModel, AStopOfSlicesThatMayNotBeCut) {
  EXPECT_GT(walk({.size = 4, .slice = 2, .may_split = false}, {.asks = 1, .drains = 1, .cancels = 1}), 500);
}

TEST(ClaimsModel, ASignalFromSomewhereElse) {
  EXPECT_GT(walk({.size = 4, .slice = 4}, {.asks = 1, .signals = 1, .reads = 1}), 500);
}

TEST(ClaimsModel, ADeathAmongShares) {
  EXPECT_GT(walk({.size = 4, .slice = 4}, {.asks = 1, .reads = 1, .deaths = 1}), 500);
}

TEST(ClaimsModel, ADeathAmongSharesOfSeveralSlices) {
  EXPECT_GT(walk({.size = 4, .slice = 2}, {.asks = 1, .reads = 1, .deaths = 1}), 500);
}

TEST(ClaimsModel, AShareOfALeaseThatHasEndedIsOneOfTheNext) {
  EXPECT_GT(walk({.size = 4, .slice = 2, .leases = 2, .in_lease = 1}, {.asks = 2, .reads = 1}), 500);
}

TEST(ClaimsModel, AStopAmongSharesOfTwoLeases) {
  EXPECT_GT(walk({.size = 4, .slice = 2, .leases = 2, .in_lease = 1}, {.asks = 1, .drains = 1, .reads = 1}), 500);
}

TEST(ClaimsModel, ACancelOfTwoLeasesThatMayNotBeCut) {
  EXPECT_GT(walk({.size = 4, .slice = 2, .may_split = false, .leases = 2, .in_lease = 1},
                 {.asks = 1, .cancels = 1, .reads = 1}),
            500);
}

TEST(ClaimsModel, ADeathAmongSharesOfTwoLeases) {
  EXPECT_GT(walk({.size = 4, .slice = 2, .leases = 2, .in_lease = 1}, {.asks = 1, .reads = 1, .deaths = 1}), 500);
}

TEST(ClaimsModel, ADeathAfterAStop) {
  EXPECT_GT(walk({.size = 4, .slice = 4}, {.drains = 1, .reads = 1, .deaths = 1}), 500);
}

TEST(ClaimsModel, ADeathAmongClaimsInBlocks) {
  EXPECT_GT(walk({.size = 5, .slice = 5, .block = 2}, {.asks = 1, .drains = 1, .deaths = 1}), 500);
}

}  // namespace
}  // namespace hostler
