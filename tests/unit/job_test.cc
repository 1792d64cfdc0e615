#include "core/job.h"

#include <gtest/gtest.h>

#include <chrono>

namespace hostler {
namespace {

using std::chrono::milliseconds;

constexpr WorkerId kA = 1;
constexpr WorkerId kB = 2;
const TimePoint kStart{std::chrono::hours(1)};
const Judgement kDone{Verdict::Done, {}};
const Judgement kFailure{Verdict::Failure, "returned 70 (HOSTLER_ERROR)"};
const Judgement kCrash{Verdict::Crash, "killed by SIGSEGV"};

Manifest numbers(std::int64_t count, std::int64_t slice) {
  return {InputKind::Range, {{"", count, 0, 0, 0}}, slice, 1, 0, {}, 1};
}

Manifest texts(const std::vector<std::int64_t> &sizes, std::int64_t slice) {
  std::vector<Input> inputs;
  for (const std::int64_t size : sizes) inputs.push_back({"t" + std::to_string(inputs.size()), size, 1, 2, 3});
  return {InputKind::Lines, std::move(inputs), slice, 1, 0, {}, 1};
}

JobSettings plain() {
  JobSettings settings;
  settings.backoff.delay = milliseconds(100);
  settings.backoff.jitter = 0;
  return settings;
}

JobSettings with_merge() {
  JobSettings settings = plain();
  settings.has_merge = true;
  return settings;
}

SliceEnded told(const Lease &lease, std::int64_t begin, std::int64_t end) {
  SliceEnded ended;
  ended.lease = lease.id;
  ended.slice = {begin, end};
  return ended;
}

LeaseEnded whole(const Lease &lease) {
  return {lease.id, lease.end};
}

// Ends the slice [begin, end) of a lease with a verdict.
SliceOutcome end_slice(Job &job, WorkerId worker, const Lease &lease, Interval slice, const Judgement &judgement,
                       TimePoint now = kStart) {
  const Result<SliceOutcome> outcome = job.ended(worker, told(lease, slice.begin, slice.end), judgement, now, 0.5);
  EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().text());
  return outcome ? *outcome : SliceOutcome{};
}

// Leases one slice and lets it fail so.
SliceOutcome fail_next(Job &job, const Judgement &judgement, TimePoint now) {
  const std::optional<Lease> lease = job.lease(kA, now, 1);
  EXPECT_TRUE(lease);
  return lease ? end_slice(job, kA, *lease, {lease->begin, lease->end}, judgement, now) : SliceOutcome{};
}

TEST(Job, FreshSlicesAreLeasedAsContiguousRuns) {
  Job job(plain(), numbers(100, 10), {});
  const std::optional<Lease> first = job.lease(kA, kStart, 3);
  const std::optional<Lease> second = job.lease(kB, kStart, 100);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->begin, 0);
  EXPECT_EQ(first->end, 30);
  EXPECT_EQ(first->attempt, 1);
  EXPECT_EQ(second->begin, 30);
  EXPECT_EQ(second->end, 100);
  EXPECT_NE(first->id, second->id);
  EXPECT_FALSE(job.lease(kA, kStart, 1));
  EXPECT_EQ(job.progress().leased, 10);
}

TEST(Job, ALeaseCarriesWhatItsWorkerNeedsToFindTheSlices) {
  Job job(plain(), texts({25, 0, 10, 5}, 10), {});
  ASSERT_TRUE(job.lease(kA, kStart, 2));
  const std::optional<Lease> lease = job.lease(kB, kStart, 2);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->begin, 20);
  EXPECT_EQ(lease->end, 35);
  EXPECT_EQ(lease->first_input, 0);
  EXPECT_EQ(lease->first_offset, 0);
  EXPECT_EQ(lease->first_index, 0);
  EXPECT_EQ(lease->plan_count, 5);
  ASSERT_EQ(lease->inputs.size(), 3U);
  EXPECT_EQ(lease->inputs[2].path, "t2");
  const std::optional<Lease> last = job.lease(kB, kStart, 2);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->first_input, 3);
  EXPECT_EQ(last->first_offset, 35);
  EXPECT_EQ(last->first_index, 4);
}

TEST(Job, ALeaseOfItemsCarriesThoseItems) {
  const std::vector<std::string> five{"a", "b", "c", "d", "e"};
  Job job(plain(), Manifest(InputKind::Items, {{"", 5, 0, 0, 0}}, 2, 1, 0, five, 1), {});
  ASSERT_TRUE(job.lease(kA, kStart, 1));
  const std::optional<Lease> lease = job.lease(kA, kStart, 9);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->items_first, 2);
  EXPECT_EQ(lease->items, (std::vector<std::string>{"c", "d", "e"}));
}

TEST(Job, ALeaseEndsWhereItsPathsOrItemsBecomeTooMuchForOneMessage) {
  const std::vector<std::string> eight(8, std::string(300'000, 'x'));
  Job items(plain(), Manifest(InputKind::Items, {{"", 8, 0, 0, 0}}, 2, 1, 0, eight, 1), {});
  EXPECT_EQ(items.lease(kA, kStart, 100)->end, 2);
  std::vector<Input> inputs(100'000, Input{std::string(100, 'p'), 10, 0, 0, 0});
  Job files(plain(), Manifest(InputKind::Lines, inputs, 4, 1, 0, {}, 1), {});
  const std::optional<Lease> lease = files.lease(kA, kStart, 1'000'000);
  EXPECT_LT(lease->inputs.size(), 10'000U);
  EXPECT_EQ(lease->end % 10, 0);
  EXPECT_EQ(files.lease(kB, kStart, 1)->begin, lease->end);
}

TEST(Job, AMessageOfOneSliceSaysThatAllBeforeItIsDone) {
  Job job(plain(), numbers(100, 10), {});
  const Lease lease = *job.lease(kA, kStart, 10);
  EXPECT_EQ(end_slice(job, kA, lease, {50, 60}, kDone).state, SliceState::Done);
  EXPECT_EQ(job.progress().done, 6);
  EXPECT_EQ(job.progress().positions_done, 60);
  EXPECT_EQ(job.rows(),
            (std::vector<SliceRow>{{0, 60, SliceState::Done, 0, 0, {}}, {60, 100, SliceState::Leased, 0, 0, {}}}));
  EXPECT_TRUE(job.lease_ended(kA, whole(lease)));
  EXPECT_EQ(job.state(), JobState::Succeeded);
  EXPECT_EQ(job.rows().size(), 1U);
  EXPECT_FALSE(job.holds_lease(kA));
}

TEST(Job, ALeaseThatStopsShortGivesTheRestBackUncharged) {
  Job job(plain(), numbers(100, 10), {});
  const Lease lease = *job.lease(kA, kStart, 10);
  ASSERT_TRUE(job.lease_ended(kA, {lease.id, 30}));
  EXPECT_EQ(job.rows(), (std::vector<SliceRow>{{0, 30, SliceState::Done, 0, 0, {}}}));
  const Lease again = *job.lease(kB, kStart, 100);
  EXPECT_EQ(again.begin, 30);
  EXPECT_EQ(again.attempt, 1);
}

TEST(Job, TheEndOfALeaseMayStillBeToldAfterItsLastSliceWas) {
  Job job(plain(), numbers(20, 10), {});
  const Lease lease = *job.lease(kA, kStart, 1);
  end_slice(job, kA, lease, {0, 10}, kDone);
  EXPECT_FALSE(job.holds_lease(kA));
  EXPECT_TRUE(job.lease_ended(kA, whole(lease)));
  EXPECT_FALSE(job.lease_ended(kB, whole(lease)));
}

TEST(Job, AWorkerMayHoldALeaseInAdvance) {
  Job job(plain(), numbers(40, 10), {});
  const Lease first = *job.lease(kA, kStart, 2);
  const Lease second = *job.lease(kA, kStart, 2);
  EXPECT_EQ(job.leases_held(kA), 2);
  ASSERT_TRUE(job.lease_ended(kA, whole(first)));
  EXPECT_EQ(job.leases_held(kA), 1);
  const SliceOutcome outcome = job.lost(kA, 30, kCrash, kStart, 0.5);
  EXPECT_EQ(outcome.state, SliceState::Backoff);
  EXPECT_EQ(job.leases_held(kA), 0);
  EXPECT_EQ(job.lease(kB, kStart, 9)->begin, second.begin);
}

TEST(Job, AFailedSliceWaitsAndComesAgainAlone) {
  Job job(plain(), numbers(30, 10), {});
  const Lease lease = *job.lease(kA, kStart, 3);
  const SliceOutcome outcome = end_slice(job, kA, lease, {10, 20}, kFailure);
  EXPECT_EQ(outcome.reason, "slice 0-10: returned 70 (HOSTLER_ERROR); attempt 1 of 4, again in 100ms");
  ASSERT_TRUE(job.lease_ended(kA, whole(lease)));
  EXPECT_EQ(job.state(), JobState::Running);
  EXPECT_FALSE(job.has_due(kStart));
  EXPECT_EQ(job.next_due(), kStart + milliseconds(100));
  EXPECT_FALSE(job.lease(kA, kStart, 9));
  const Lease again = *job.lease(kA, kStart + milliseconds(100), 9);
  EXPECT_EQ(again.begin, 10);
  EXPECT_EQ(again.end, 20);
  EXPECT_EQ(again.attempt, 2);
  end_slice(job, kA, again, {10, 20}, kDone);
  EXPECT_EQ(job.state(), JobState::Succeeded);
  EXPECT_EQ(job.progress().retries, 1);
}

TEST(Job, ASliceIsQuarantinedWhenItsAttemptsAreUsedUp) {
  Job job(plain(), numbers(10, 10), {});
  TimePoint now = kStart;
  for (int attempt = 1; attempt < 4; ++attempt, now += std::chrono::seconds(10))
    EXPECT_EQ(fail_next(job, kFailure, now).state, SliceState::Backoff);
  const SliceOutcome last = fail_next(job, kFailure, now);
  EXPECT_EQ(last.state, SliceState::Quarantined);
  EXPECT_EQ(last.reason, "slice 0-0: returned 70 (HOSTLER_ERROR); attempt 4 of 4, quarantined");
  EXPECT_EQ(job.state(), JobState::Failed);
  EXPECT_EQ(job.progress().retries, 3);
  EXPECT_EQ(
      job.state_reason(),
      "1 of 1 slice quarantined, more than max_failed allows; the first is slice 0-0: returned 70 (HOSTLER_ERROR)");
}

TEST(Job, BadDataIsQuarantinedAtOnce) {
  JobSettings settings = plain();
  settings.max_failed.count = 1;
  Job job(settings, numbers(20, 10), {});
  const SliceOutcome outcome = fail_next(job, {Verdict::BadData, "returned 65 (HOSTLER_BAD_DATA)"}, kStart);
  EXPECT_EQ(outcome.reason, "slice 0-0: returned 65 (HOSTLER_BAD_DATA); quarantined");
  const Lease rest = *job.lease(kA, kStart, 9);
  ASSERT_TRUE(job.lease_ended(kA, whole(rest)));
  EXPECT_EQ(job.state(), JobState::Partial);
  EXPECT_EQ(job.state_reason(), "1 of 2 slices quarantined; the first is slice 0-0: returned 65 (HOSTLER_BAD_DATA)");
}

TEST(Job, RetryLaterIsNotChargedButBounded) {
  JobSettings settings = plain();
  settings.max_temporary = 2;
  Job job(settings, numbers(10, 10), {});
  const Judgement later{Verdict::RetryLater, "returned 75 (HOSTLER_RETRY_LATER)"};
  TimePoint now = kStart;
  EXPECT_EQ(fail_next(job, later, now).reason,
            "slice 0-0: returned 75 (HOSTLER_RETRY_LATER); again in 100ms, put off 1 of at most 2 times");
  now += std::chrono::seconds(1);
  EXPECT_EQ(fail_next(job, later, now).state, SliceState::Backoff);
  EXPECT_EQ(job.rows()[0].attempts, 0);
  EXPECT_EQ(job.rows()[0].temporaries, 2);
  now += std::chrono::seconds(1);
  EXPECT_EQ(fail_next(job, later, now).state, SliceState::Quarantined);
  EXPECT_EQ(job.rows()[0].attempts, 1);
}

TEST(Job, WhatIsNoFaultOfTheSliceIsNotCharged) {
  for (const Verdict verdict : {Verdict::Yield, Verdict::Interrupted, Verdict::BadConfig, Verdict::LoadFailure,
                                Verdict::LoadLater, Verdict::InputChanged}) {
    Job job(plain(), numbers(10, 10), {});
    const SliceOutcome outcome = fail_next(job, {verdict, "words"}, kStart);
    EXPECT_EQ(outcome.state, SliceState::Ready);
    EXPECT_EQ(outcome.reason, "slice 0-0: words; not charged to the slice");
    EXPECT_TRUE(job.rows().empty());
    EXPECT_EQ(job.lease(kB, kStart, 1)->attempt, 1);
  }
}

TEST(Job, AnInterruptedRetryKeepsItsCount) {
  Job job(plain(), numbers(10, 10), {});
  fail_next(job, kFailure, kStart);
  const TimePoint later = kStart + std::chrono::seconds(1);
  EXPECT_EQ(fail_next(job, {Verdict::Interrupted, "killed"}, later).state, SliceState::Ready);
  EXPECT_TRUE(job.has_due(later));
  EXPECT_EQ(job.lease(kA, later, 1)->attempt, 2);
}

TEST(Job, ALostWorkerIsChargedForTheSliceItWasInAndNoOther) {
  Job job(plain(), numbers(50, 10), {});
  ASSERT_TRUE(job.lease(kA, kStart, 5));
  const SliceOutcome outcome = job.lost(kA, 20, kCrash, kStart, 0.5);
  EXPECT_EQ(outcome.reason, "slice 0-20: killed by SIGSEGV; attempt 1 of 4, again in 100ms");
  EXPECT_EQ(job.rows(), (std::vector<SliceRow>{{20, 30, SliceState::Backoff, 1, 0, "killed by SIGSEGV"}}));
  EXPECT_EQ(job.lease(kB, kStart, 9)->end, 20);
  EXPECT_EQ(job.lease(kB, kStart, 9)->begin, 30);
}

TEST(Job, ALostWorkerThatBegunNothingChargesNothing) {
  Job job(plain(), numbers(50, 10), {});
  ASSERT_TRUE(job.lease(kA, kStart, 5));
  EXPECT_EQ(job.lost(kA, std::nullopt, kCrash, kStart, 0.5).reason, "");
  EXPECT_TRUE(job.rows().empty());
}

TEST(Job, APageThatPointsOutsideTheLeaseChargesNothing) {
  for (const std::int64_t begun : {-1, 5, 25, 40, 1000}) {
    Job job(plain(), numbers(50, 10), {});
    ASSERT_TRUE(job.lease(kA, kStart, 4));
    EXPECT_EQ(job.lost(kA, begun, kCrash, kStart, 0.5).reason, "");
    EXPECT_TRUE(job.rows().empty());
  }
}

TEST(Job, ASliceThatWasToldIsNotChargedAgainWhenItsWorkerDies) {
  Job job(plain(), numbers(50, 10), {});
  const Lease lease = *job.lease(kA, kStart, 5);
  end_slice(job, kA, lease, {20, 30}, kFailure);
  EXPECT_EQ(job.lost(kA, 20, kCrash, kStart, 0.5).reason, "");
  EXPECT_EQ(job.rows()[1].attempts, 1);
}

TEST(Job, ADoneSliceWhoseMessageIsLostRunsAgainButNotForEver) {
  JobSettings settings = plain();
  settings.max_temporary = 1;
  Job job(settings, numbers(10, 10), {});
  ASSERT_TRUE(job.lease(kA, kStart, 5));
  EXPECT_EQ(job.lost(kA, 0, kDone, kStart, 0.5).state, SliceState::Backoff);
  EXPECT_EQ(job.rows()[0].attempts, 0);
  const TimePoint later = kStart + std::chrono::seconds(1);
  ASSERT_TRUE(job.lease(kA, later, 5));
  EXPECT_EQ(job.lost(kA, 0, kDone, later, 0.5).state, SliceState::Quarantined);
}

TEST(Job, ASliceWithFilesIsDoneOnlyWhenTheyHaveTheirPlaces) {
  Job job(plain(), numbers(20, 10), {});
  const Lease lease = *job.lease(kA, kStart, 2);
  SliceEnded ended = told(lease, 10, 20);
  ended.files = {"part"};
  EXPECT_EQ(job.ended(kA, ended, kDone, kStart, 0.5)->state, SliceState::Committing);
  EXPECT_EQ(job.state(), JobState::Running);
  EXPECT_EQ(job.progress().done, 1);
  job.committed({0, 10});
  EXPECT_EQ(job.state(), JobState::Running);
  job.committed({10, 20});
  EXPECT_EQ(job.state(), JobState::Succeeded);
  EXPECT_EQ(job.rows(), (std::vector<SliceRow>{{0, 20, SliceState::Done, 0, 0, {}}}));
}

TEST(Job, AFailedSliceWithFilesDoesNotCommit) {
  Job job(plain(), numbers(10, 10), {});
  SliceEnded ended = told(*job.lease(kA, kStart, 1), 0, 10);
  ended.files = {"part"};
  EXPECT_EQ(job.ended(kA, ended, kFailure, kStart, 0.5)->state, SliceState::Backoff);
}

TEST(Job, MessagesThatCannotBeRightAreRefusedAndChangeNothing) {
  Job job(plain(), numbers(100, 10), {});
  const Lease lease = *job.lease(kA, kStart, 5);
  const Lease other = *job.lease(kB, kStart, 1);
  end_slice(job, kA, lease, {10, 20}, kDone);
  const std::vector<SliceRow> before = job.rows();
  const auto refused = [&](WorkerId worker, std::uint64_t id, Interval slice) {
    SliceEnded ended = told(lease, slice.begin, slice.end);
    ended.lease = id;
    EXPECT_FALSE(job.ended(worker, ended, kDone, kStart, 0.5)) << slice.begin;
  };
  refused(kB, lease.id, {20, 30});  // another worker's lease
  refused(kA, other.id, {50, 60});  // likewise
  refused(kA, 999, {20, 30});       // no lease at all
  refused(kA, lease.id, {10, 20});  // told before
  refused(kA, lease.id, {20, 40});  // two slices
  refused(kA, lease.id, {25, 30});  // a part
  refused(kA, lease.id, {50, 60});  // beyond the lease
  refused(kA, lease.id, {-10, 0});
  refused(kA, lease.id, {100, 101});  // the merge
  EXPECT_FALSE(job.lease_ended(kA, {lease.id, 25}));
  EXPECT_FALSE(job.lease_ended(kA, {lease.id, 60}));
  EXPECT_FALSE(job.lease_ended(kA, {lease.id, -1}));
  EXPECT_FALSE(job.lease_ended(kA, {other.id, 60}));
  EXPECT_FALSE(job.lease_ended(3, {lease.id, 50}));
  EXPECT_EQ(job.rows(), before);
}

TEST(Job, TheMergeIsHandedOutOnceAllSlicesHaveEnded) {
  Job job(with_merge(), numbers(20, 10), {});
  const Lease first = *job.lease(kA, kStart, 1);
  const Lease second = *job.lease(kB, kStart, 1);
  ASSERT_TRUE(job.lease_ended(kA, whole(first)));
  EXPECT_FALSE(job.lease(kA, kStart, 1));
  ASSERT_TRUE(job.lease_ended(kB, whole(second)));
  EXPECT_EQ(job.state(), JobState::Running);
  EXPECT_TRUE(job.has_due(kStart));
  EXPECT_EQ(job.open_slices(), 1);
  const Lease merge = *job.lease(kA, kStart, 5);
  EXPECT_EQ(merge.begin, 20);
  EXPECT_EQ(merge.end, 21);
  EXPECT_TRUE(merge.inputs.empty());
  EXPECT_FALSE(job.lease(kB, kStart, 5));
  EXPECT_FALSE(job.has_due(kStart));
  SliceEnded ended = told(merge, 20, 21);
  ended.files = {"words.tsv"};
  EXPECT_EQ(job.ended(kA, ended, kDone, kStart, 0.5)->state, SliceState::Committing);
  EXPECT_EQ(job.open_slices(), 0);
  job.committed({20, 21});
  EXPECT_EQ(job.state(), JobState::Succeeded);
  EXPECT_EQ(job.rows(),
            (std::vector<SliceRow>{{0, 20, SliceState::Done, 0, 0, {}}, {20, 21, SliceState::Done, 0, 0, {}}}));
}

TEST(Job, TheMergeIsRetriedLikeAnySlice) {
  Job job(with_merge(), numbers(10, 10), {});
  ASSERT_TRUE(job.lease_ended(kA, whole(*job.lease(kA, kStart, 1))));
  ASSERT_TRUE(job.lease(kA, kStart, 1));
  const SliceOutcome outcome = job.lost(kA, 10, kCrash, kStart, 0.5);
  EXPECT_EQ(outcome.reason, "merge: killed by SIGSEGV; attempt 1 of 4, again in 100ms");
  EXPECT_FALSE(job.has_due(kStart));
  EXPECT_EQ(job.next_due(), kStart + milliseconds(100));
  TimePoint now = kStart;
  for (int attempt = 2; attempt <= 4; ++attempt) {
    now += std::chrono::seconds(10);
    const std::optional<Lease> lease = job.lease(kA, now, 1);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->attempt, attempt);
    (void)job.lost(kA, 10, kCrash, now, 0.5);
  }
  EXPECT_EQ(job.state(), JobState::Failed);
  EXPECT_EQ(job.state_reason(), "merge: killed by SIGSEGV");
}

TEST(Job, AnInterruptedMergeGoesBack) {
  Job job(with_merge(), numbers(10, 10), {});
  ASSERT_TRUE(job.lease_ended(kA, whole(*job.lease(kA, kStart, 1))));
  const std::vector<SliceRow> before = job.rows();
  ASSERT_TRUE(job.lease(kA, kStart, 1));
  (void)job.lost(kA, 10, {Verdict::Interrupted, "killed"}, kStart, 0.5);
  EXPECT_EQ(job.rows(), before);
  EXPECT_EQ(job.lease(kB, kStart, 1)->begin, 10);
}

TEST(Job, AJobWithoutSlicesStillMerges) {
  Job job(with_merge(), texts({0, 0}, 10), {});
  EXPECT_EQ(job.state(), JobState::Running);
  const Lease merge = *job.lease(kA, kStart, 1);
  EXPECT_EQ(merge.begin, 0);
  EXPECT_EQ(merge.end, 1);
  EXPECT_EQ(job.place(0), "merge");
  ASSERT_TRUE(job.lease_ended(kA, whole(merge)));
  EXPECT_EQ(job.state(), JobState::Succeeded);
  EXPECT_EQ(Job(plain(), texts({}, 10), {}).state(), JobState::Succeeded);
}

TEST(Job, APartialJobMergesAndAFailedOneDoesNot) {
  JobSettings settings = with_merge();
  settings.max_failed.percent = 50;
  Job partial(settings, numbers(20, 10), {});
  fail_next(partial, {Verdict::BadData, "bad"}, kStart);
  ASSERT_TRUE(partial.lease_ended(kA, whole(*partial.lease(kA, kStart, 1))));
  EXPECT_EQ(partial.state(), JobState::Running);
  ASSERT_TRUE(partial.lease_ended(kA, whole(*partial.lease(kA, kStart, 1))));
  EXPECT_EQ(partial.state(), JobState::Partial);

  Job failed(with_merge(), numbers(20, 10), {});
  fail_next(failed, {Verdict::BadData, "bad"}, kStart);
  ASSERT_TRUE(failed.lease_ended(kA, whole(*failed.lease(kA, kStart, 1))));
  EXPECT_EQ(failed.state(), JobState::Failed);
  EXPECT_FALSE(failed.lease(kA, kStart, 1));
}

TEST(Job, AJobBeyondItsToleranceGoesOnWithTheOthersAndEndsFailed) {
  Job job(plain(), numbers(30, 10), {});
  const Lease running = *job.lease(kB, kStart, 1);
  fail_next(job, {Verdict::BadData, "bad"}, kStart);
  EXPECT_EQ(job.state(), JobState::Running);
  EXPECT_EQ(end_slice(job, kB, running, {0, 10}, kDone).state, SliceState::Done);
  ASSERT_TRUE(job.lease_ended(kA, whole(*job.lease(kA, kStart, 1))));
  EXPECT_EQ(job.state(), JobState::Failed);
  EXPECT_EQ(job.progress().done, 2);
  EXPECT_EQ(job.open_slices(), 0);
}

TEST(Job, AnEndedJobStaysEndedWhateverTheSettingsSay) {
  Job job(plain(), numbers(10, 10), {});
  ASSERT_TRUE(job.lease_ended(kA, whole(*job.lease(kA, kStart, 1))));
  job.set_settings(with_merge());
  EXPECT_EQ(job.state(), JobState::Succeeded);
  EXPECT_FALSE(job.lease(kA, kStart, 1));
}

TEST(Job, NewSettingsApplyToWhatComes) {
  Job job(plain(), numbers(10, 10), {});
  fail_next(job, kFailure, kStart);
  JobSettings settings = plain();
  settings.attempts = 2;
  job.set_settings(settings);
  EXPECT_EQ(fail_next(job, kFailure, kStart + std::chrono::seconds(1)).state, SliceState::Quarantined);
}

TEST(Job, WhatIsFoundOutLaterStandsInTheReasonsOfItsSliceAndOfTheJob) {
  JobSettings settings = plain();
  settings.attempts = 1;
  Job job(settings, numbers(30, 10), {});
  ASSERT_TRUE(job.lease(kA, kStart, 3));
  const Judgement crash{Verdict::Crash, "killed by SIGSEGV in slice 0-0, a.so+0x2"};
  (void)job.lost(kA, 0, crash, kStart, 0);
  (void)job.take_changes();
  job.explain(0, crash.reason, "killed by SIGSEGV in slice 0-0, a.so+0x2 in f (a.c:3)");
  job.explain(10, crash.reason, "of a slice without a row");
  job.explain(0, "another crash, which it is not", "x");
  ASSERT_EQ(job.rows().size(), 1U);
  EXPECT_EQ(job.rows()[0].reason, "killed by SIGSEGV in slice 0-0, a.so+0x2 in f (a.c:3)");
  EXPECT_EQ(job.rows()[0].state, SliceState::Quarantined);
  EXPECT_EQ(job.take_changes().size(), 1U);
  EXPECT_EQ(job.progress().quarantined, 1);
  const Lease rest = *job.lease(kB, kStart, 3);
  ASSERT_TRUE(job.lease_ended(kB, whole(rest)));
  ASSERT_EQ(job.state(), JobState::Failed);
  job.explain(0, job.rows()[0].reason, "a crash");
  EXPECT_TRUE(job.state_reason().ends_with("slice 0-0: a crash")) << job.state_reason();
}

TEST(Job, FreshSlicesGoBeforeRetriedOnes) {
  Job job(plain(), numbers(30, 10), {});
  fail_next(job, kFailure, kStart);
  const TimePoint later = kStart + std::chrono::seconds(1);
  EXPECT_EQ(job.lease(kA, later, 9)->begin, 10);
  EXPECT_EQ(job.lease(kA, later, 9)->begin, 0);
}

TEST(Job, AHostThatStartsAgainGoesOnFromTheRows) {
  const std::vector<SliceRow> rows = {
      {0, 10, SliceState::Done, 0, 0, {}},           {10, 20, SliceState::Done, 0, 0, {}},
      {20, 40, SliceState::Leased, 0, 0, {}},        {40, 50, SliceState::Leased, 2, 0, "killed"},
      {50, 60, SliceState::Backoff, 1, 1, "failed"}, {60, 70, SliceState::Quarantined, 4, 0, "bad"}};
  JobSettings settings = plain();
  settings.max_failed.count = 1;
  Job job(settings, numbers(80, 10), rows);
  const JobProgress progress = job.progress();
  EXPECT_EQ(progress.done, 2);
  EXPECT_EQ(progress.leased, 0);
  EXPECT_EQ(progress.backoff, 1);
  EXPECT_EQ(progress.quarantined, 1);
  EXPECT_EQ(job.open_slices(), 5);
  const std::vector<RowDelta> changes = job.take_changes();
  ASSERT_EQ(changes.size(), 4U);  // two done rows are one, a lease is gone, the other one is ready
  EXPECT_EQ(job.lease(kA, kStart, 9)->begin, 20);
  EXPECT_EQ(job.lease(kA, kStart, 9)->begin, 70);
  EXPECT_EQ(job.lease(kA, kStart, 9)->attempt, 3);
  EXPECT_EQ(job.lease(kA, kStart, 9)->begin, 50);
  EXPECT_FALSE(job.lease(kA, kStart, 9));
}

TEST(Job, TheJobThatTakesAPlaceGoesOnWithTheLeaseNumbers) {
  Job first(plain(), numbers(20, 10), {});
  const Lease lease = *first.lease(kA, kStart, 1);
  Job second(plain(), numbers(20, 10), {}, first.next_lease());
  EXPECT_GT(second.lease(kA, kStart, 1)->id, lease.id);
}

TEST(Job, TenMillionSlicesThatLeaveNothingCostAHandfulOfRows) {
  Job job(plain(), numbers(100'000'000, 10), {});
  std::size_t most_rows = 0;
  std::size_t deltas = 0;
  while (job.state() == JobState::Running) {
    const Lease a = *job.lease(kA, kStart, 100'000);
    const std::optional<Lease> b = job.lease(kB, kStart, 100'000);
    if (b) {
      ASSERT_TRUE(job.lease_ended(kB, whole(*b)));
    }
    ASSERT_TRUE(job.lease_ended(kA, whole(a)));
    most_rows = std::max(most_rows, job.rows().size());
    deltas += job.take_changes().size();
  }
  EXPECT_EQ(job.progress().done, 10'000'000);
  EXPECT_LE(most_rows, 3U);
  EXPECT_LE(deltas, 200U);
}

TEST(Job, EachOfAHundredThousandSlicesMayLeaveSomething) {
  Job job(plain(), numbers(1'000'000, 10), {});
  const Lease lease = *job.lease(kA, kStart, 100'000);
  for (std::int64_t begin = 0; begin < lease.end; begin += 10) {
    ASSERT_TRUE(job.ended(kA, told(lease, begin, begin + 10), kDone, kStart, 0.5));
    ASSERT_LE(job.take_changes().size(), 3U);
  }
  EXPECT_EQ(job.state(), JobState::Succeeded);
}

TEST(Job, AJobNamesAreKnownBothWays) {
  for (const JobState state :
       {JobState::Running, JobState::Succeeded, JobState::Partial, JobState::Failed, JobState::Cancelled})
    EXPECT_EQ(job_state_from_name(name(state)), state);
  for (const SliceState state : {SliceState::Ready, SliceState::Leased, SliceState::Committing, SliceState::Done,
                                 SliceState::Backoff, SliceState::Quarantined})
    EXPECT_EQ(slice_state_from_name(name(state)), state);
  EXPECT_FALSE(job_state_from_name("sideways"));
  EXPECT_FALSE(slice_state_from_name("sideways"));
}

}  // namespace
}  // namespace hostler
