#include <gtest/gtest.h>

#include <algorithm>

#include "core/job.h"

namespace hostler {
namespace {

Input file(const std::string &path, std::int64_t size, std::int64_t mtime = 1) {
  return {path, size, mtime, 7, 9};
}

Manifest texts(std::vector<Input> inputs, std::int64_t slice = 10) {
  return {InputKind::Lines, std::move(inputs), slice, 1, 0, {}, 1};
}

Manifest numbers(std::int64_t begin, std::int64_t end) {
  return {InputKind::Range, {{"", end - begin, 0, 0, 0}}, 10, 1, begin, {}, 1};
}

Manifest items(std::vector<std::string> all) {
  const auto size = static_cast<std::int64_t>(all.size());
  return {InputKind::Items, {{"", size, 0, 0, 0}}, 1, 1, 0, std::move(all), 1};
}

SliceRow done(std::int64_t begin, std::int64_t end) {
  return {begin, end, SliceState::Done, 0, 0, {}};
}

JobIdentity lines() {
  JobIdentity identity;
  identity.input.kind = InputKind::Lines;
  identity.output = "/out";
  identity.params = {{"top", "20"}};
  return identity;
}

using Words = std::vector<std::string>;

TEST(JobChanges, TheSameJobHasNone) {
  const Manifest plan = texts({file("a", 10), file("b", 10)});
  EXPECT_EQ(job_changes(lines(), plan, lines(), plan), Words{});
}

TEST(JobChanges, EachDifferenceIsNamed) {
  JobIdentity now = lines();
  now.output = "/elsewhere";
  now.params = {{"top", "30"}, {"min", "3"}};
  now.input.slice = 4096;
  const Manifest was = texts({file("a", 10), file("b", 10), file("c", 10), file("d", 1)});
  const Manifest wanted = texts({file("a", 11), file("b", 10, 2), file("d", 1), file("e", 1)});
  EXPECT_EQ(
      job_changes(lines(), was, now, wanted),
      (Words{"output /out → /elsewhere", "params.top 20 → 30", "params.min is new: 3", "input.slice default → 4096",
             "input a changed (size 10 → 11)", "input b changed (time)", "input c is gone", "input e is new"}));
  EXPECT_EQ(job_changes(now, was, lines(), was)[2], "params.top 30 → 20");
}

TEST(JobChanges, AReplacedFileOfTheSameSizeAndTimeIsAnotherFile) {
  Input other = file("a", 10);
  other.inode = 10;
  EXPECT_EQ(job_changes(lines(), texts({file("a", 10)}), lines(), texts({other})),
            Words{"input a changed (another file)"});
}

TEST(JobChanges, ManyChangedInputsAreCountedNotListed) {
  std::vector<Input> many;
  for (int i = 0; i < 100; ++i) many.push_back(file(std::to_string(i), 1));
  const Words changes = job_changes(lines(), texts(many), lines(), texts({}));
  ASSERT_EQ(changes.size(), 6U);
  EXPECT_EQ(changes.back(), "95 more inputs changed");
}

TEST(JobChanges, RangesAndItemsAreComparedByWhatTheyHold) {
  JobIdentity was;
  was.input.kind = InputKind::Range;
  was.input.end = 100;
  JobIdentity now = was;
  now.input.end = 200;
  EXPECT_EQ(job_changes(was, numbers(0, 100), now, numbers(0, 200)), Words{"input.range.end 100 → 200"});
  was.input = now.input = {};
  was.input.kind = now.input.kind = InputKind::Items;
  EXPECT_EQ(job_changes(was, items({"a", "b"}), now, items({"a", "b"})), Words{});
  EXPECT_EQ(job_changes(was, items({"a", "b"}), now, items({"a", "c"})), Words{"input.items[1] \"b\" → \"c\""});
  EXPECT_EQ(job_changes(was, items({"a"}), now, items({"a", "c"})), Words{"input.items 1 → 2 items"});
}

TEST(JobChanges, AnotherKindOfInputSaysItAll) {
  JobIdentity now = lines();
  now.input.kind = InputKind::File;
  EXPECT_EQ(job_changes(lines(), texts({file("a", 1)}), now, texts({})), Words{"input lines → files"});
}

TEST(ResumeJob, DoneSlicesMoveToTheNewNumberingAndNewInputsComeBehind) {
  const Manifest planned = texts({file("a", 20), file("b", 30), file("c", 10)});
  const std::vector<SliceRow> rows = {done(20, 40), {40, 50, SliceState::Backoff, 2, 0, "bad"}};
  const Manifest wanted = texts({file("0", 5), file("a", 55, 2), file("b", 30)});
  const Result<Resumed> resumed = resume_job(planned, rows, wanted);
  ASSERT_TRUE(resumed) << resumed.error().text();
  const std::vector<Input> &inputs = resumed->manifest.inputs();
  ASSERT_EQ(inputs.size(), 4U);
  EXPECT_EQ(inputs[0], file("a", 55, 2));
  EXPECT_EQ(inputs[1], file("b", 30));
  EXPECT_EQ(inputs[2].path, "c");
  EXPECT_EQ(inputs[2].size, kGone);
  EXPECT_EQ(inputs[3], file("0", 5));
  EXPECT_EQ(resumed->rows, (std::vector<SliceRow>{done(55, 75)}));
}

TEST(ResumeJob, AResumedJobIsTheSameJobWhenItIsLookedAtAgain) {
  const Manifest planned = texts({file("a", 20), file("c", 30)});
  const Manifest wanted = texts({file("b", 5), file("c", 30)});
  const Result<Resumed> resumed = resume_job(planned, {done(20, 30)}, wanted);
  ASSERT_TRUE(resumed);
  EXPECT_EQ(job_changes(lines(), resumed->manifest, lines(), wanted), Words{});
  const Result<Resumed> back = resume_job(resumed->manifest, resumed->rows, planned);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->manifest.inputs()[0], file("a", 20));
  EXPECT_EQ(back->manifest.inputs()[1], file("c", 30));
  EXPECT_EQ(back->manifest.inputs()[2].size, kGone);
  EXPECT_EQ(back->rows, (std::vector<SliceRow>{done(20, 30)}));
}

TEST(ResumeJob, ARowAcrossInputsIsTakenApartAndJoinedAgain) {
  const Manifest planned = texts({file("a", 10), file("b", 0), file("c", 10), file("d", 10)});
  const Result<Resumed> resumed = resume_job(planned, {done(0, 25)}, planned);
  ASSERT_TRUE(resumed);
  EXPECT_EQ(resumed->rows, (std::vector<SliceRow>{done(0, 25)}));
  const Manifest grown = texts({file("a", 10), file("b", 7), file("c", 10), file("d", 10)});
  EXPECT_EQ(resume_job(planned, {done(0, 25)}, grown)->rows, (std::vector<SliceRow>{done(0, 10), done(17, 32)}));
}

TEST(ResumeJob, ADoneInputThatChangedOrIsGoneCannotBeKept) {
  const Manifest planned = texts({file("a", 20), file("b", 30)});
  const Result<Resumed> changed = resume_job(planned, {done(0, 10)}, texts({file("a", 20, 5), file("b", 30)}));
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().what.find("input a has slices that are done, and changed"), std::string::npos);
  const Result<Resumed> gone = resume_job(planned, {done(0, 10)}, texts({file("b", 30)}));
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().what.find("is gone"), std::string::npos);
}

TEST(ResumeJob, WhatIsNotDoneBeginsAnewAndCommittingCountsAsDone) {
  const Manifest planned = texts({file("a", 50)});
  const std::vector<SliceRow> rows = {{0, 10, SliceState::Committing, 0, 0, {}},
                                      {10, 20, SliceState::Quarantined, 4, 0, "bad"},
                                      {20, 30, SliceState::Leased, 0, 0, {}},
                                      {30, 40, SliceState::Done, 1, 0, "once"},
                                      {50, 51, SliceState::Done, 0, 0, {}}};
  const Result<Resumed> resumed = resume_job(planned, rows, planned);
  ASSERT_TRUE(resumed);
  EXPECT_EQ(resumed->rows, (std::vector<SliceRow>{done(0, 10), {30, 40, SliceState::Done, 1, 0, "once"}}));
}

TEST(ResumeJob, AnotherSliceSizeCutsOnlyWhatIsLeft) {
  const Manifest planned = texts({file("a", 100)});
  const Result<Resumed> resumed = resume_job(planned, {done(10, 20)}, texts({file("a", 100)}, 15));
  ASSERT_TRUE(resumed);
  Job job({}, resumed->manifest, resumed->rows);
  const TimePoint now{};
  EXPECT_EQ(job.lease(1, now, 1)->end, 10);
  const Lease next = *job.lease(1, now, 1);
  EXPECT_EQ(next.begin, 20);
  EXPECT_EQ(next.end, 30);
  const Lease rest = *job.lease(1, now, 99);
  for (const std::uint64_t id : {std::uint64_t{1}, next.id, rest.id})
    ASSERT_TRUE(job.lease_ended(1, {id, id == 1 ? 10 : id == next.id ? 30 : 100}));
  EXPECT_EQ(job.state(), JobState::Succeeded);
  EXPECT_EQ(job.progress().done, job.progress().slices);
}

TEST(ResumeJob, RangesGrowAndShrinkAroundWhatIsDone) {
  const Result<Resumed> grown = resume_job(numbers(100, 200), {done(20, 40)}, numbers(50, 500));
  ASSERT_TRUE(grown);
  EXPECT_EQ(grown->rows, (std::vector<SliceRow>{done(70, 90)}));
  const Result<Resumed> cut = resume_job(numbers(100, 200), {done(20, 40)}, numbers(130, 200));
  ASSERT_FALSE(cut);
  EXPECT_NE(cut.error().what.find(": 120 to 129 are done"), std::string::npos) << cut.error().what;
  const Result<Resumed> shrunk = resume_job(numbers(100, 200), {done(0, 100)}, numbers(100, 160));
  ASSERT_FALSE(shrunk);
  EXPECT_NE(shrunk.error().what.find(": 160 to 199 are done"), std::string::npos) << shrunk.error().what;
  const Result<Resumed> elsewhere = resume_job(numbers(100, 200), {done(20, 40)}, numbers(300, 400));
  ASSERT_FALSE(elsewhere);
  EXPECT_NE(elsewhere.error().what.find(": 120 to 139 are done"), std::string::npos) << elsewhere.error().what;
}

TEST(ResumeJob, ItemsMustBeTheSameWhereTheyAreDone) {
  const Manifest planned = items({"a", "b", "c"});
  EXPECT_TRUE(resume_job(planned, {done(0, 2)}, items({"a", "b", "x", "y"})));
  EXPECT_FALSE(resume_job(planned, {done(0, 2)}, items({"a", "x", "c"})));
  EXPECT_FALSE(resume_job(planned, {done(0, 2)}, items({"a"})));
}

TEST(ResumeJob, AnotherKindCanOnlyBeResumedWhenNothingIsDone) {
  const Manifest planned = texts({file("a", 10)});
  const Manifest wanted = numbers(0, 10);
  EXPECT_FALSE(resume_job(planned, {done(0, 10)}, wanted));
  EXPECT_TRUE(resume_job(planned, {{0, 10, SliceState::Quarantined, 4, 0, "bad"}}, wanted));
}

TEST(ResumeJob, AWholeFileThatIsGoneHasNoSlice) {
  const Manifest planned(InputKind::File, {file("a", 10), file("b", 0)}, 0, 1, 0, {}, 1);
  const Manifest wanted(InputKind::File, {file("a", 10)}, 0, 1, 0, {}, 1);
  const Result<Resumed> resumed = resume_job(planned, {done(0, 10)}, wanted);
  ASSERT_TRUE(resumed);
  EXPECT_EQ(resumed->manifest.slice_count(), 1);
  EXPECT_EQ(Job({}, resumed->manifest, resumed->rows).state(), JobState::Succeeded);
}

}  // namespace
}  // namespace hostler
