#include "edge/ledger.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "core/plan.h"
#include "edge/stored_jobs.h"
#include "edge/temp_dir.h"

namespace hostler {
namespace {

Ledger open_ledger(const TempDir &dir) {
  Result<Ledger> ledger = Ledger::open(dir.path("ledger.sqlite"));
  EXPECT_TRUE(ledger) << (ledger ? "" : ledger.error().text());
  return std::move(*ledger);
}

Result<void> apply(Ledger &ledger, const StoreBatch &batch) {
  if (Result<void> begun = ledger.begin(); !begun) return begun;
  if (Result<void> applied = ledger.apply(batch); !applied) {
    ledger.rollback();
    return applied;
  }
  return ledger.commit();
}

StoredJob load(Ledger &ledger, const std::string &name) {
  Result<std::optional<StoredJob>> job = ledger.load_job(name);
  EXPECT_TRUE(job && *job);
  return job && *job ? std::move(**job) : StoredJob{};
}

struct Left {
  OutputPlace place;
  std::int64_t end;
  std::optional<std::string> data;
  std::vector<std::string> files;
  bool operator==(const Left &) const = default;
};

std::vector<Left> results(Ledger &ledger, const std::string &job) {
  std::vector<Left> all;
  EXPECT_TRUE(ledger.for_each_result(job, [&](const StoredResult &result) -> Result<void> {
    std::optional<std::string> data;
    if (result.data) data = std::string(*result.data);
    all.push_back({result.place, result.end, data, result.files});
    return {};
  }));
  return all;
}

// SQLite would open it for reading, and fail with the first job.
TEST(Ledger, OneThatCannotBeWrittenIsNotOpened) {
  const TempDir dir;
  const std::string path = dir.path("ledger.sqlite");
  open_ledger(dir);
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(path.substr(0, path.rfind('/')).c_str(), 0777), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(2);
    const Result<Ledger> ledger = Ledger::open(path);
    ::_exit(!ledger && ledger.error().what == "cannot be opened for writing" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Ledger, AJobIsReadAsItWasWritten) {
  const TempDir dir;
  StoredJob job =
      lines_job("words", {{"/a \"b\"", 25, -5, UINT64_MAX, 1}, {"/c", 0, 7, 2, 3}, {"/d", kGone, 0, 0, 0}}, "/o");
  job.identity.input.record_size = 3;
  job.identity.params = {{"top", "20"}, {"list", "[1,\n2]"}};
  job.rows = {{0, 10, SliceState::Done, 0, 0, {}}, {10, 20, SliceState::Backoff, 2, 1, "killed by SIGSEGV"}};
  job.reason = "why";
  job.created_at = 12345;
  job.counters = {{"words", -3}};
  {
    Ledger ledger = open_ledger(dir);
    ASSERT_TRUE(apply(ledger, {CreateJob{job}}));
  }
  Ledger ledger = open_ledger(dir);
  const Result<std::vector<StoredJob>> jobs = ledger.load_jobs();
  ASSERT_TRUE(jobs);
  ASSERT_EQ(jobs->size(), 1U);
  const StoredJob &read = jobs->front();
  EXPECT_EQ(read.name, "words");
  EXPECT_EQ(read.id, "words-1");
  EXPECT_EQ(read.identity.input.kind, InputKind::Lines);
  EXPECT_EQ(read.identity.input.slice, 10);
  EXPECT_EQ(read.identity.input.record_size, 3);
  EXPECT_EQ(read.identity.output, "/o");
  EXPECT_EQ(read.identity.params, job.identity.params);
  EXPECT_EQ(read.manifest.inputs(), job.manifest.inputs());
  EXPECT_EQ(read.manifest.slice_count(), job.manifest.slice_count());
  EXPECT_EQ(read.rows, job.rows);
  EXPECT_EQ(read.reason, "why");
  EXPECT_EQ(read.created_at, 12345);
  EXPECT_EQ(read.counters, job.counters);
  EXPECT_EQ(job_changes(job.identity, job.manifest, read.identity, read.manifest), std::vector<std::string>{});
}

TEST(Ledger, ItemsAndRangesAreReadAsTheyWereWritten) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  StoredJob items = range_job("items", 3, "/o");
  items.identity.input.kind = InputKind::Items;
  items.identity.input.items_file = "/list.txt";
  const std::vector<std::string> three{"a", "", std::string("c\0d", 3)};
  items.manifest = Manifest(InputKind::Items, {{"", 3, 0, 0, 0}}, 1, 1, 0, three, 1);
  StoredJob range = range_job("range", 100, "/p");
  range.manifest = Manifest(InputKind::Range, {{"", 100, 0, 0, 0}}, 7, 1, 1000, {}, 1);
  ASSERT_TRUE(apply(ledger, {CreateJob{items}, CreateJob{range}}));
  EXPECT_EQ(load(ledger, "items").manifest.items(), items.manifest.items());
  EXPECT_EQ(load(ledger, "items").identity.input.items_file, "/list.txt");
  EXPECT_EQ(load(ledger, "range").manifest.slice_at(99), range.manifest.slice_at(99));
  EXPECT_GT(load(ledger, "range").created_at, 0);
}

TEST(Ledger, RowsFollowTheDeltas) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/o")}}));
  ASSERT_TRUE(apply(ledger, {PutRows{"job", {put_row(0, 10, SliceState::Done), put_row(10, 50, SliceState::Leased)}}}));
  ASSERT_TRUE(apply(ledger, {PutRows{"job", {put_row(0, 20, SliceState::Done), {10, std::nullopt}}}}));
  EXPECT_EQ(load(ledger, "job").rows, (std::vector<SliceRow>{{0, 20, SliceState::Done, 0, 0, {}}}));
}

TEST(Ledger, CountersAddUpWithoutEverOverflowing) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/o")}}));
  ASSERT_TRUE(apply(ledger, {AddCounters{"job", {{"a", 5}, {"big", INT64_MAX}}}, AddCounters{"job", {{"a", -7}}}}));
  ASSERT_TRUE(apply(ledger, {AddCounters{"job", {{"a", 1}, {"big", INT64_MAX}}, true}}));
  EXPECT_EQ(load(ledger, "job").counters, (std::map<std::string, std::int64_t>{{"a", -1}, {"big", INT64_MAX}}));
}

TEST(Ledger, ResultsComeInTheOrderOfTheirSlicesAndTheMergesLast) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{lines_job("job", {{"/a", 100, 0, 0, 0}, {"/b", 100, 0, 0, 0}}, "/o")}}));
  MoveFiles move;
  move.job = "job";
  move.slice = {120, 130};
  move.input = 1;
  move.begin = 20;
  move.end = 30;
  move.files = {"z", "a"};
  const std::string binary("\0\1", 2);
  ASSERT_TRUE(
      apply(ledger, {PutResult{"job", 0, 0, 0, true, "all"}, PutResult{"job", 1, 20, 30, false, "late"},
                     PutResult{"job", 0, 90, 100, false, binary}, PutResult{"job", 0, 0, 10, false, ""}, move}));
  EXPECT_EQ(results(ledger, "job"), (std::vector<Left>{{{false, 0, 0}, 10, "", {}},
                                                       {{false, 0, 90}, 100, binary, {}},
                                                       {{false, 1, 20}, 30, "late", {"a", "z"}},
                                                       {{true, 0, 0}, 0, "all", {}}}));
}

TEST(Ledger, ASliceWithFilesAloneKnowsWhereItEnds) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  StoredJob whole = lines_job("files", {{"/a", 7, 0, 0, 0}, {"/b", 5, 0, 0, 0}}, "/p");
  whole.identity.input.kind = InputKind::File;
  whole.manifest = Manifest(InputKind::File, whole.manifest.inputs(), 0, 1, 0, {}, 1);
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/o")}, CreateJob{whole}}));
  MoveFiles range{"job", {20, 30}, 0, 20, 30, false, "/o/.attempts/x", {"f"}};
  MoveFiles file{"files", {7, 12}, 1, 0, 5, false, "/p/.attempts/x", {"f"}};
  ASSERT_TRUE(apply(ledger, {range, file}));
  EXPECT_EQ(results(ledger, "job"), (std::vector<Left>{{{false, 0, 20}, 30, std::nullopt, {"f"}}}));
  EXPECT_EQ(results(ledger, "files"), (std::vector<Left>{{{false, 1, 0}, 5, std::nullopt, {"f"}}}));
  const Result<std::vector<MoveFiles>> moves = ledger.pending_moves();
  ASSERT_TRUE(moves);
  ASSERT_EQ(moves->size(), 2U);
  EXPECT_EQ(moves->at(1).slice, (Interval{7, 12}));
  EXPECT_EQ(moves->at(1).files, std::vector<std::string>{"f"});
}

TEST(Ledger, AFinishedMoveIsForgottenAndItsSliceDone) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  const MoveFiles move{"job", {20, 30}, 0, 20, 30, false, "/o/.attempts/x", {"f"}};
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/o")}, move,
                             PutRows{"job", {put_row(20, 30, SliceState::Committing)}}}));
  ASSERT_TRUE(ledger.begin());
  ASSERT_TRUE(ledger.move_finished(move));
  ASSERT_TRUE(ledger.commit());
  EXPECT_TRUE(ledger.pending_moves()->empty());
  EXPECT_EQ(load(ledger, "job").rows[0].state, SliceState::Done);
  EXPECT_TRUE(*ledger.owns_file("job", "/o", {false, 0, 20}, "f"));
  EXPECT_FALSE(*ledger.owns_file("job", "/o", {false, 0, 20}, "g"));
  EXPECT_FALSE(*ledger.owns_file("job", "/elsewhere", {false, 0, 20}, "f"));
}

TEST(Ledger, AJobBegunAnewLeavesNothingButFilesToBeRemoved) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  const StoredJob job = range_job("job", 100, "/o");
  ASSERT_TRUE(apply(ledger, {CreateJob{job}, CreateJob{range_job("other", 10, "/p")}}));
  ASSERT_TRUE(apply(ledger, {PutRows{"job", {put_row(0, 10, SliceState::Done)}}, PutResult{"job", 0, 0, 10, false, "x"},
                             AddCounters{"job", {{"a", 5}}}, AddCounters{"other", {{"b", 6}}},
                             MoveFiles{"job", {0, 10}, 0, 0, 10, false, "/o/.attempts/x", {"f"}}}));
  ASSERT_TRUE(apply(ledger, {CreateJob{job}}));
  const StoredJob read = load(ledger, "job");
  EXPECT_TRUE(read.rows.empty());
  EXPECT_TRUE(read.counters.empty());
  EXPECT_TRUE(results(ledger, "job").empty());
  EXPECT_TRUE(ledger.pending_moves()->empty());
  EXPECT_EQ(load(ledger, "other").counters.at("b"), 6);
  EXPECT_EQ(*ledger.pending_removals(),
            (std::vector<std::string>{"/o/_SUCCESS", "/o/manifest.json", part_path("/o", 0, "f")}));
  // The new job's file at the same place is not to be removed.
  ASSERT_TRUE(apply(ledger, {MoveFiles{"job", {0, 10}, 0, 0, 10, false, "/o/.attempts/x", {"f"}}}));
  ASSERT_TRUE(apply(ledger, {SetJobState{"job", JobState::Succeeded, {}, 0}}));
  EXPECT_TRUE(ledger.pending_removals()->empty());
}

TEST(Ledger, AResumedJobKeepsAllButTheMerge) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  StoredJob job = range_job("job", 100, "/o");
  ASSERT_TRUE(apply(ledger, {CreateJob{job}, PutResult{"job", 0, 0, 10, false, "x"}, AddCounters{"job", {{"a", 5}}},
                             MoveFiles{"job", {0, 10}, 0, 0, 10, false, "/o/.attempts/x", {"f"}},
                             MoveFiles{"job", {100, 101}, 0, 0, 0, true, "/o/.attempts/y", {"all"}},
                             PutResult{"job", 0, 0, 0, true, "sum"}, AddCounters{"job", {{"a", 100}, {"m", 1}}, true},
                             SetJobState{"job", JobState::Partial, "because", 99}}));
  job.identity.params = {{"top", "30"}};
  job.identity.input.end = 200;
  job.manifest = Manifest(InputKind::Range, {{"", 200, 0, 0, 0}}, 5, 1, 0, {}, 1);
  job.rows = {{0, 10, SliceState::Done, 0, 0, {}}};
  ASSERT_TRUE(apply(ledger, {ReplanJob{job}}));
  const StoredJob read = load(ledger, "job");
  EXPECT_EQ(read.state, JobState::Running);
  EXPECT_EQ(read.reason, "");
  EXPECT_EQ(read.identity.params.at("top"), "30");
  EXPECT_EQ(read.manifest.slice_count(), 40);
  EXPECT_EQ(read.rows, job.rows);
  EXPECT_EQ(read.counters, (std::map<std::string, std::int64_t>{{"a", 5}}));
  EXPECT_EQ(results(ledger, "job"), (std::vector<Left>{{{false, 0, 0}, 10, "x", {"f"}}}));
  EXPECT_EQ(*ledger.pending_removals(), (std::vector<std::string>{"/o/_SUCCESS", "/o/all", "/o/manifest.json"}));
  EXPECT_EQ(ledger.pending_moves()->size(), 1U);
}

TEST(Ledger, ABadBatchLeavesTheOthersOfItsTransactionAlone) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(ledger.begin());
  ASSERT_TRUE(ledger.apply({CreateJob{range_job("job", 100, "/o")}}));
  const Result<void> bad = ledger.apply({AddCounters{"job", {{"a", 1}}}, AddCounters{"nobody", {{"a", 1}}}});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().text(), "ledger: knows no job nobody");
  EXPECT_TRUE(ledger.in_transaction());
  EXPECT_FALSE(ledger.failure_may_pass());
  ASSERT_TRUE(ledger.apply({AddCounters{"job", {{"b", 2}}}}));
  ASSERT_TRUE(ledger.commit());
  EXPECT_EQ(load(ledger, "job").counters, (std::map<std::string, std::int64_t>{{"b", 2}}));
}

// Rows are written at the end of the transaction, so a batch that fails takes back what it has left to be written.
TEST(Ledger, ABadBatchTakesItsRowsBackAndNoOtherOnes) {
  const TempDir dir;
  const std::vector<StoreStep> spoilers{AddCounters{"nobody", {{"a", 1}}},  // changes nothing at once
                                        MoveFiles{"nobody", {0, 10}, 0, 0, 10, false, "", {}}};  // needs a savepoint
  for (const StoreStep &spoiler : spoilers) {
    Ledger ledger = open_ledger(dir);
    ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/o")}}));
    ASSERT_TRUE(ledger.begin());
    ASSERT_TRUE(
        ledger.apply({PutRows{"job", {put_row(0, 10, SliceState::Done), put_row(10, 50, SliceState::Leased)}}}));
    ASSERT_FALSE(ledger.apply({PutRows{"job", {{10, std::nullopt}, put_row(0, 50, SliceState::Done)}},
                               PutRows{"job", {put_row(60, 70, SliceState::Done)}}, spoiler}));
    ASSERT_TRUE(ledger.apply({PutRows{"job", {put_row(50, 60, SliceState::Leased)}}}));
    ASSERT_TRUE(ledger.commit());
    EXPECT_EQ(load(ledger, "job").rows, (std::vector<SliceRow>{{0, 10, SliceState::Done, 0, 0, {}},
                                                               {10, 50, SliceState::Leased, 0, 0, {}},
                                                               {50, 60, SliceState::Leased, 0, 0, {}}}));
  }
}

TEST(Ledger, AMoveIsFinishedAlsoInTheTransactionThatBeganIt) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/o")}}));
  const MoveFiles move{"job", {0, 10}, 0, 0, 10, false, "/o/.attempts/0-0.1", {"file"}};
  ASSERT_TRUE(ledger.begin());
  ASSERT_TRUE(ledger.apply({PutRows{"job", {put_row(0, 10, SliceState::Committing)}}, move}));
  ASSERT_TRUE(ledger.move_finished(move));
  ASSERT_TRUE(ledger.commit());
  EXPECT_EQ(load(ledger, "job").rows, (std::vector<SliceRow>{{0, 10, SliceState::Done, 0, 0, {}}}));
}

TEST(Ledger, WhatAnOperatorHasStoppedIsRememberedUntilItIsStarted) {
  const TempDir dir;
  {
    Ledger ledger = open_ledger(dir);
    EXPECT_TRUE(ledger.halted_entries()->empty());
    ASSERT_TRUE(apply(ledger, {SetHalt{"b", Halt::Paused}, SetHalt{"a", Halt::Paused}, SetHalt{"a", Halt::Stopped}}));
  }
  Ledger ledger = open_ledger(dir);
  EXPECT_EQ(*ledger.halted_entries(), (std::map<std::string, Halt>{{"a", Halt::Stopped}, {"b", Halt::Paused}}));
  ASSERT_TRUE(apply(ledger, {SetHalt{"a", Halt::None}, SetHalt{"none", Halt::None}}));
  EXPECT_EQ(*ledger.halted_entries(), (std::map<std::string, Halt>{{"b", Halt::Paused}}));
}

TEST(Ledger, OneThatIsOlderThanTheCommandsGetsTheirTable) {
  const TempDir dir;
  { open_ledger(dir); }
  auto database = Database::open(dir.path("ledger.sqlite"), Database::Access::ReadWrite);
  ASSERT_TRUE(database && database->execute("DROP TABLE stopped"));
  Ledger ledger = open_ledger(dir);
  EXPECT_TRUE(apply(ledger, {SetHalt{"a", Halt::Stopped}}));
}

Attempt attempt(const StoredJob &job, std::int64_t seq, Interval slices, const std::string &verdict = "done") {
  Build build;
  build.hash = "b1";
  build.library = "/store/b1/a.so";
  Attempt made;
  made.seq = seq;
  made.range = range_of(job.manifest, slices);
  made.verdict = verdict;
  made.code = verdict == "done" ? 0 : 70;
  made.worker = 3;
  made.build = std::make_shared<const Build>(build);
  made.began = std::chrono::steady_clock::now() - std::chrono::hours(1);
  made.took = std::chrono::milliseconds(1500);
  made.reason = verdict == "done" ? "" : "why";
  return made;
}

std::vector<Attempt> attempts(Ledger &ledger, const std::string &job) {
  std::vector<Attempt> all;
  EXPECT_TRUE(ledger.for_each_attempt(job, [&](const Attempt &each) -> Result<void> {
    all.push_back(each);
    return {};
  }));
  return all;
}

TEST(Ledger, AttemptsAreReadAsTheyWereWritten) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  const StoredJob job = range_job("j", 100, "/o");
  const std::int64_t an_hour_ago = std::chrono::duration_cast<std::chrono::milliseconds>(
                                       (std::chrono::system_clock::now() - std::chrono::hours(1)).time_since_epoch())
                                       .count();
  ASSERT_TRUE(apply(ledger, {CreateJob{job}}));
  ASSERT_TRUE(apply(ledger, {PutRows{"j", {}, {attempt(job, 1, {0, 50}), attempt(job, 2, {50, 60}, "failure")}}}));
  ASSERT_TRUE(apply(
      ledger, {PutRows{"j", {}, {attempt(job, 3, {100, 101})}}, PutUsage{"j", {2, std::chrono::seconds(5), 77}}}));
  const auto all = attempts(ledger, "j");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].range, range_of(job.manifest, {0, 50}));
  EXPECT_EQ(all[0].verdict, "done");
  EXPECT_GE(all[0].began_at, an_hour_ago);
  EXPECT_LT(all[0].began_at, an_hour_ago + 60'000);
  EXPECT_EQ(all[0].took, std::chrono::milliseconds(1500));
  EXPECT_EQ(all[1].verdict, "failure");
  EXPECT_EQ(all[1].code, 70);
  EXPECT_EQ(all[1].reason, "why");
  EXPECT_EQ(all[1].worker, 3);
  EXPECT_EQ(all[1].build->library, "/store/b1/a.so");
  EXPECT_TRUE(all[2].range.merge);
  const auto failure = ledger.last_failure("j", range_of(job.manifest, {50, 60}));
  ASSERT_TRUE(failure && *failure);
  EXPECT_EQ((*failure)->seq, 2);
  EXPECT_FALSE(ledger.last_failure("j", range_of(job.manifest, {0, 10}))->has_value());
  const StoredJob read = load(ledger, "j");
  EXPECT_EQ(read.attempts_noted, 3);
  EXPECT_EQ(read.last_build, "b1");
  EXPECT_EQ(read.usage, (WorkerUsage{2, std::chrono::seconds(5), 77}));
}

TEST(Ledger, ALineThatGrowsIsWrittenOnceATransactionAndTakenBackWithItsBatch) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  const StoredJob job = range_job("j", 100, "/o");
  ASSERT_TRUE(apply(ledger, {CreateJob{job}}));
  ASSERT_TRUE(ledger.begin());
  ASSERT_TRUE(ledger.apply({PutRows{"j", {}, {attempt(job, 1, {0, 10})}}}));
  ASSERT_TRUE(ledger.apply({PutRows{"j", {}, {attempt(job, 1, {0, 20})}}}));
  EXPECT_FALSE(ledger.apply(
      {PutRows{"j", {}, {attempt(job, 1, {0, 90}), attempt(job, 2, {90, 100})}}, PutRows{"nobody", {}, {}}}));
  ASSERT_TRUE(ledger.commit());
  const auto all = attempts(ledger, "j");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].range.end, 20);
}

TEST(Ledger, LongTablesAreGoneThroughPieceByPiece) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  StoredJob job = range_job("j", 50'000, "/o");
  for (std::int64_t i = 0; i < 5000; ++i)
    job.rows.push_back({i * 10, i * 10 + 10, SliceState::Quarantined, 1, 0, "why"});
  ASSERT_TRUE(apply(ledger, {CreateJob{job}}));
  PutRows lines{"j", {}, {}};
  for (std::int64_t i = 0; i < 5000; ++i) lines.attempts.push_back(attempt(job, i + 1, {i * 10, i * 10 + 10}, "crash"));
  ASSERT_TRUE(apply(ledger, {lines}));
  std::int64_t rows = 0;
  // Whoever takes a row may write meanwhile.
  ASSERT_TRUE(ledger.for_each_row("j", [&](const SliceRow &row) -> Result<void> {
    EXPECT_EQ(row.begin, rows * 10);
    if (rows == 0 && !apply(ledger, {SetHalt{"j", Halt::Paused}})) return fail("", "cannot write");
    return ++rows <= 5000 ? Result<void>{} : fail("", "too many");
  }));
  EXPECT_EQ(rows, 5000);
  EXPECT_EQ(attempts(ledger, "j").size(), 5000U);
  EXPECT_TRUE(ledger.load_plan("j")->value().rows.empty());
}

TEST(Ledger, ManyResultsAndLargeOnesComeInOrderAndOnce) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("j", 30'000, "/o")}, CreateJob{range_job("k", 10, "/p")}}));
  StoreBatch batch;
  for (std::int64_t i = 2999; i >= 0; --i)
    batch.push_back(PutResult{"j", static_cast<std::int32_t>(i % 3), i * 10, i * 10 + 10, false,
                              std::string(i % 1000 == 7 ? std::size_t{5} << 20 : 1, 'x')});
  batch.push_back(PutResult{"j", 0, 0, 0, true, "merged"});
  batch.push_back(PutResult{"k", 0, 0, 10, false, "another job's"});
  ASSERT_TRUE(hostler::apply(ledger, batch));
  const auto all = results(ledger, "j");
  ASSERT_EQ(all.size(), 3001U);
  for (std::size_t i = 1; i < 3000; ++i) {
    const auto at = [&](std::size_t n) { return std::pair(all[n].place.input, all[n].place.begin); };
    ASSERT_LT(at(i - 1), at(i)) << i;
  }
  EXPECT_TRUE(all.back().place.merge);
  EXPECT_EQ(results(ledger, "k").size(), 1U);
}

TEST(Ledger, AttemptsGoWithTheirJob) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  const StoredJob job = range_job("j", 100, "/o");
  ASSERT_TRUE(apply(ledger, {CreateJob{job}, PutRows{"j", {}, {attempt(job, 1, {0, 50})}}}));
  ASSERT_TRUE(apply(ledger, {ReplanJob{job}}));
  EXPECT_EQ(attempts(ledger, "j").size(), 1U);
  ASSERT_TRUE(apply(ledger, {CreateJob{job}}));
  EXPECT_TRUE(attempts(ledger, "j").empty());
  EXPECT_EQ(load(ledger, "j").attempts_noted, 0);
}

TEST(Ledger, AReopenedJobRunsAgainWithoutItsMerge) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  const StoredJob job = range_job("j", 100, "/o");
  ASSERT_TRUE(apply(ledger, {CreateJob{job}, AddCounters{"j", {{"n", 5}}, false}}));
  ASSERT_TRUE(apply(ledger, {PutResult{"j", 0, 0, 0, true, "merged"}, AddCounters{"j", {{"n", 2}}, true},
                             PutResult{"j", 0, 10, 20, false, "part"}, SetJobState{"j", JobState::Partial, "why"}}));
  EXPECT_EQ(*ledger.merge_result("j"), "merged");
  ASSERT_TRUE(apply(ledger, {ReopenJob{"j", "/o"}}));
  EXPECT_FALSE(ledger.merge_result("j")->has_value());
  EXPECT_EQ(results(ledger, "j").size(), 1U);
  const StoredJob read = load(ledger, "j");
  EXPECT_EQ(read.state, JobState::Running);
  EXPECT_EQ(read.reason, "");
  EXPECT_EQ(read.ended_at, 0);
  EXPECT_EQ(read.counters.at("n"), 5);
}

TEST(Ledger, OneWithoutTheTablesThatCameLaterIsReadAsIfTheyWereEmpty) {
  const TempDir dir;
  const StoredJob job = range_job("j", 100, "/o");
  {
    Ledger ledger = open_ledger(dir);
    ASSERT_TRUE(apply(ledger, {CreateJob{job}}));
  }
  auto database = Database::open(dir.path("ledger.sqlite"), Database::Access::ReadWrite);
  ASSERT_TRUE(database && database->execute("DROP TABLE attempt; DROP TABLE usage; DROP TABLE build"));
  auto ledger = Ledger::open_read_only(dir.path("ledger.sqlite"));
  ASSERT_TRUE(ledger);
  EXPECT_TRUE(ledger->load_plan("j")->has_value());
  EXPECT_TRUE(attempts(*ledger, "j").empty());
  EXPECT_FALSE(ledger->last_failure("j", range_of(job.manifest, {0, 10}))->has_value());
}

TEST(Ledger, WhatIsNotCommittedIsNotThere) {
  const TempDir dir;
  {
    Ledger ledger = open_ledger(dir);
    ASSERT_TRUE(ledger.begin());
    ASSERT_TRUE(ledger.apply({CreateJob{range_job("job", 100, "/o")}}));
  }
  Ledger ledger = open_ledger(dir);
  EXPECT_TRUE(ledger.job_names()->empty());
}

TEST(Ledger, EndedJobsWaitUntilTheirOutputFoldersAreTold) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/o")}}));
  EXPECT_TRUE(ledger.unfinished_outputs()->empty());
  ASSERT_TRUE(apply(ledger, {SetJobState{"job", JobState::Failed, "3 of 4", 0}}));
  EXPECT_EQ(*ledger.unfinished_outputs(), std::vector<std::string>{"job"});
  EXPECT_EQ(load(ledger, "job").state, JobState::Failed);
  EXPECT_EQ(load(ledger, "job").reason, "3 of 4");
  EXPECT_GT(load(ledger, "job").ended_at, 0);
  ASSERT_TRUE(ledger.output_finished("job"));
  EXPECT_TRUE(ledger.unfinished_outputs()->empty());
}

TEST(Ledger, AnotherOneMayReadWhileItIsWritten) {
  const TempDir dir;
  Ledger writer = open_ledger(dir);
  ASSERT_TRUE(apply(writer, {CreateJob{range_job("job", 100, "/o")}}));
  Result<Ledger> reader = Ledger::open_read_only(dir.path("ledger.sqlite"));
  ASSERT_TRUE(reader) << reader.error().text();
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.apply({AddCounters{"job", {{"a", 1}}}}));
  EXPECT_TRUE(load(*reader, "job").counters.empty());
  ASSERT_TRUE(writer.commit());
  EXPECT_EQ(load(*reader, "job").counters.at("a"), 1);
  EXPECT_FALSE(apply(*reader, {AddCounters{"job", {{"a", 1}}}}));
}

TEST(Ledger, AReaderNeedsNoHost) {
  const TempDir dir;
  EXPECT_FALSE(Ledger::open_read_only(dir.path("ledger.sqlite")));
  { ASSERT_TRUE(apply(*std::make_unique<Ledger>(open_ledger(dir)), {CreateJob{range_job("job", 100, "/o")}})); }
  Result<Ledger> reader = Ledger::open_read_only(dir.path("ledger.sqlite"));
  ASSERT_TRUE(reader) << reader.error().text();
  EXPECT_EQ(reader->job_names()->size(), 1U);
}

TEST(Ledger, AFileThatIsNoLedgerIsRefused) {
  const TempDir dir;
  write_file(dir.path("ledger.sqlite"), std::string(4096, 'x'));
  const Result<Ledger> ledger = Ledger::open(dir.path("ledger.sqlite"));
  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().where + ": " + ledger.error().what, dir.path("ledger.sqlite") + ": is not a ledger");
  EXPECT_NE(ledger.error().hint.find("move it away"), std::string::npos);
}

TEST(Ledger, ALedgerOfANewerHostlerIsRefused) {
  const TempDir dir;
  { (void)open_ledger(dir); }
  {
    Result<Database> database = Database::open(dir.path("ledger.sqlite"), Database::Access::ReadWrite);
    ASSERT_TRUE(database->execute("PRAGMA user_version = 99"));
  }
  const Result<Ledger> ledger = Ledger::open(dir.path("ledger.sqlite"));
  ASSERT_FALSE(ledger);
  EXPECT_NE(ledger.error().what.find("has schema 99"), std::string::npos);
  EXPECT_FALSE(Ledger::open_read_only(dir.path("ledger.sqlite")));
}

TEST(Ledger, ManyInputsGoInAndOut) {
  const TempDir dir;
  std::vector<Input> inputs;
  for (std::uint64_t i = 0; i < 200'000; ++i) inputs.push_back({"/data/part-" + std::to_string(i), 100, 1, 2, i});
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{lines_job("big", inputs, "/o")}}));
  EXPECT_EQ(load(ledger, "big").manifest.inputs(), inputs);
}

// In a child with a mount namespace of its own: what does not hold there is told by its exit code.
int on_a_full_disk(const std::string &folder) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=2m") != 0)
    return 77;
  Result<Ledger> ledger = Ledger::open(folder + "/ledger.sqlite");
  if (!ledger || !apply(*ledger, {CreateJob{range_job("job", 1000, "/o")}})) return 1;
  write_file(folder + "/filler", std::string(std::size_t{4} << 20, 'x'));
  const StoreBatch batch = {PutResult{"job", 0, 0, 10, false, std::string(300'000, 'r')},
                            AddCounters{"job", {{"n", 1}}}};
  const Result<void> full = apply(*ledger, batch);
  if (full) return 2;
  if (full.error().what != "the disk is full") return 3;
  if (ledger->in_transaction()) return 4;
  if (!load(*ledger, "job").counters.empty()) return 5;
  std::filesystem::remove(folder + "/filler");
  if (!apply(*ledger, batch)) return 6;
  return load(*ledger, "job").counters.at("n") == 1 ? 0 : 7;
}

TEST(Ledger, AFullDiskIsAnErrorAndNothingIsLostByIt) {
  const TempDir dir;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(on_a_full_disk(dir.path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no tmpfs may be mounted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Ledger, WhatARowRemembersOfCrashesLastsAsLongAsTheRowDoes) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/out")}}));
  SliceRow row{10, 20, SliceState::Ready, 1, 0, "killed by SIGSEGV"};
  row.trouble.crashes = {{12, 13}};
  row.trouble.deaths = 4;
  row.trouble.death_at = 12;
  ASSERT_TRUE(apply(ledger, {PutRows{"job", {{std::nullopt, row}}}}));
  EXPECT_EQ(load(ledger, "job").rows, std::vector{row});
  {
    Ledger other = open_ledger(dir);
    EXPECT_EQ(load(other, "job").rows, std::vector{row});
    // What another transaction wanted and did not get changes nothing.
    ASSERT_TRUE(other.begin());
    ASSERT_TRUE(other.apply({PutRows{"job", {{10, std::nullopt}}}}));
    other.rollback();
    EXPECT_EQ(load(other, "job").rows, std::vector{row});
  }
  row.trouble = {};
  ASSERT_TRUE(apply(ledger, {PutRows{"job", {{std::nullopt, row}}}}));
  EXPECT_EQ(load(ledger, "job").rows, std::vector{row});
  row.trouble.bisected = 2;
  ASSERT_TRUE(apply(ledger, {PutRows{"job", {{std::nullopt, row}}}}));
  ASSERT_TRUE(apply(ledger, {PutRows{"job", {{10, std::nullopt}}}}));
  EXPECT_TRUE(load(ledger, "job").rows.empty());
  row.trouble = {};
  ASSERT_TRUE(apply(ledger, {PutRows{"job", {{std::nullopt, row}}}}));
  EXPECT_EQ(load(ledger, "job").rows, std::vector{row}) << "a new row does not inherit it";
}

TEST(Ledger, AnIsolatedRecordIsKeptWithItsBytesAndTheBacktraceThatComesLater) {
  const TempDir dir;
  Ledger ledger = open_ledger(dir);
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/out")}}));
  EXPECT_FALSE(*ledger.isolated("job", 0, 12));
  const std::string bytes("a\0b\xff", 4);
  ASSERT_TRUE(apply(ledger, {PutIsolated{"job", {0, {12, 16}, bytes, std::nullopt}}}));
  ASSERT_TRUE(apply(ledger, {PutIsolated{"job", {0, {12, 16}, std::nullopt, "parse\nrun"}}}));
  const auto found = ledger.isolated("job", 0, 12);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->at, (Interval{12, 16}));
  EXPECT_EQ((*found)->bytes, bytes);
  EXPECT_EQ((*found)->backtrace, "parse\nrun");
  EXPECT_FALSE(*ledger.isolated("job", 1, 12));
  ASSERT_TRUE(apply(ledger, {CreateJob{range_job("job", 100, "/out")}}));
  EXPECT_FALSE(*ledger.isolated("job", 0, 12));
}

}  // namespace
}  // namespace hostler
