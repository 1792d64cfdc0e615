#include "edge/job_store.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <random>
#include <set>

#include "core/merge_input.h"
#include "edge/ledger.h"
#include "edge/output_folder.h"
#include "edge/stored_jobs.h"
#include "edge/temp_dir.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

// The supervisor's thread: completions are called where the test waits for them.
class Inbox {
 public:
  [[nodiscard]] DurableJobStore::Post post() {
    return [this](std::function<void()> call) {
      const std::lock_guard lock(mutex_);
      calls_.push_back(std::move(call));
      arrived_.notify_one();
    };
  }

  void run_one() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !calls_.empty(); });
    const std::function<void()> call = std::move(calls_.front());
    calls_.pop_front();
    lock.unlock();
    call();
  }

  void run_all() {
    while (!empty()) run_one();
  }

  [[nodiscard]] bool empty() {
    const std::lock_guard lock(mutex_);
    return calls_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> calls_;
};

class Host {
 public:
  explicit Host(const std::string &state, Duration retry = std::chrono::milliseconds(1)) {
    auto opened = DurableJobStore::open(
        state + "/ledger.sqlite", state, inbox_.post(), [this](const std::string &words) { reports.push_back(words); },
        retry);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().text());
    store = std::move(opened->store);
    jobs = std::move(opened->jobs);
    problems = std::move(opened->problems);
  }

  Result<void> commit(StoreBatch batch) {
    std::optional<Result<void>> result;
    store->commit(std::move(batch), [&](const Result<void> &done) { result = done; });
    while (!result) inbox_.run_one();
    return *result;
  }

  Result<std::string> merge_input(const std::string &job) {
    std::optional<Result<std::string>> result;
    store->write_merge_input(job, [&](const Result<std::string> &done) { result = done; });
    while (!result) inbox_.run_one();
    return *result;
  }

  Result<void> check(std::vector<Input> inputs) {
    std::optional<Result<void>> result;
    store->check_inputs(std::move(inputs), [&](const Result<void> &done) { result = done; });
    while (!result) inbox_.run_one();
    return *result;
  }

  Inbox &inbox() { return inbox_; }

  std::vector<StoredJob> jobs;
  std::vector<Error> problems;
  std::vector<std::string> reports;

 private:
  Inbox inbox_;

 public:
  std::unique_ptr<DurableJobStore> store;  // ends before the inbox it posts to
};

StoreBatch committing(const MoveFiles &move) {
  return {PutRows{move.job, {put_row(move.slice.begin, move.slice.end, SliceState::Committing)}}, move};
}

TEST(JobStore, WhatIsCommittedIsThereAtTheNextStart) {
  const TempDir dir;
  const std::string out = dir.path("out");
  {
    Host host(dir.path());
    ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
    ASSERT_TRUE(host.commit({PutRows{"job", {put_row(0, 10, SliceState::Done)}}, AddCounters{"job", {{"n", 3}}}}));
  }
  const Host host(dir.path());
  ASSERT_EQ(host.jobs.size(), 1U);
  EXPECT_EQ(host.jobs[0].counters.at("n"), 3);
  EXPECT_EQ(host.jobs[0].rows.size(), 1U);
}

TEST(JobStore, FilesHaveTheirPlacesWhenACommitIsDone) {
  const TempDir dir;
  const std::string out = dir.path("out");
  Host host(dir.path());
  ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
  const MoveFiles move = attempt("job", out, 20, {"a"});
  ASSERT_TRUE(host.commit(committing(move)));
  EXPECT_EQ(read_file(part_path(out, 20, "a")), "text");
  EXPECT_FALSE(fs::exists(move.attempt_dir));
}

TEST(JobStore, CompletionsComeInOrderAndOnlyByPost) {
  const TempDir dir;
  Host host(dir.path());
  std::vector<int> order;
  host.store->commit({CreateJob{range_job("job", 100, dir.path("out"))}},
                     [&](const Result<void> &) { order.push_back(0); });
  for (int i = 1; i < 50; ++i)
    host.store->commit({AddCounters{"job", {{"n", 1}}}}, [&, i](const Result<void> &done) {
      EXPECT_TRUE(done);
      order.push_back(i);
    });
  EXPECT_TRUE(order.empty());
  while (order.size() < 50) host.inbox().run_one();
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(JobStore, ItsEndMakesAllThatWasAskedDurable) {
  const TempDir dir;
  int answered = 0;
  {
    Host host(dir.path());
    host.store->commit({CreateJob{range_job("job", 100, dir.path("out"))}}, {});
    for (int i = 0; i < 100; ++i)
      host.store->commit({AddCounters{"job", {{"n", 1}}}}, [&](const Result<void> &) { ++answered; });
    host.store.reset();
    host.inbox().run_all();
  }
  EXPECT_EQ(answered, 100);
  EXPECT_EQ(Host(dir.path()).jobs[0].counters.at("n"), 100);
}

TEST(JobStore, ABadBatchFailsAloneAndAltogether) {
  const TempDir dir;
  const std::string out = dir.path("out");
  Host host(dir.path());
  ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
  int good = 0;
  int bad = 0;
  const auto count = [&](const Result<void> &done) { ++(done ? good : bad); };
  host.store->commit({AddCounters{"job", {{"n", 1}}}}, count);
  host.store->commit({AddCounters{"job", {{"n", 10}}}, AddCounters{"nobody", {{"n", 1}}}}, count);
  host.store->commit({AddCounters{"job", {{"n", 100}}}, MoveFiles{"job", {0, 10}, 0, 0, 10, false, "/etc", {"passwd"}}},
                     count);
  host.store->commit({AddCounters{"job", {{"n", 1000}}}}, count);
  while (good + bad < 4) host.inbox().run_one();
  EXPECT_EQ(good, 2);
  host.store.reset();
  EXPECT_EQ(Host(dir.path()).jobs[0].counters.at("n"), 1001);
}

TEST(JobStore, AnOutputFolderWithForeignFilesIsRefused) {
  const TempDir dir;
  fs::create_directory(dir.path("out"));
  write_file(dir.path("out/thesis.txt"), "x");
  Host host(dir.path());
  const Result<void> refused = host.commit({CreateJob{range_job("job", 100, dir.path("out"))}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("thesis.txt"), std::string::npos);
  host.store.reset();
  EXPECT_TRUE(Host(dir.path()).jobs.empty());
}

TEST(JobStore, TwoHostsDoNotShareAnOutputFolder) {
  const TempDir dir;
  const std::string out = dir.path("out");
  fs::create_directory(dir.path("other"));
  Host other(dir.path("other"));
  {
    Host host(dir.path());
    ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
    const Result<void> refused = other.commit({CreateJob{range_job("job", 100, out)}});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("in use by another host"), std::string::npos);
    ASSERT_TRUE(host.commit({SetJobState{"job", JobState::Failed, "why", 0}}));
    EXPECT_TRUE(other.commit({CreateJob{range_job("job", 100, out)}}));  // it has ended
    EXPECT_FALSE(host.commit({ReplanJob{range_job("job", 100, out)}}));
    ASSERT_TRUE(other.commit({SetJobState{"job", JobState::Failed, "why", 0}}));
    ASSERT_TRUE(host.commit({ReplanJob{range_job("job", 100, out)}}));
  }
  // What a host finds unfinished when it starts is locked, or is somebody else's by now.
  ASSERT_TRUE(other.commit({CreateJob{range_job("job", 100, out)}}));
  attempt("job", out, 20, {"a"});
  const Host again(dir.path());
  ASSERT_EQ(again.problems.size(), 1U);
  EXPECT_EQ(again.problems[0].where, "job");
  EXPECT_NE(again.problems[0].what.find("in use by another host"), std::string::npos);
  EXPECT_TRUE(fs::exists(out + "/.attempts/0-20.7/a"));
}

TEST(JobStore, AttemptsOfSomebodyElseAreRefusedAndStay) {
  const TempDir dir;
  const std::string out = dir.path("out");
  fs::create_directories(out + "/.attempts/0-20.7");
  write_file(out + "/.attempts/0-20.7/mine", "x");
  Host host(dir.path());
  EXPECT_FALSE(host.commit({CreateJob{range_job("job", 100, out)}}));
  host.store.reset();
  EXPECT_TRUE(Host(dir.path()).jobs.empty());
  EXPECT_EQ(read_file(out + "/.attempts/0-20.7/mine"), "x");
}

TEST(JobStore, TwoJobsDoNotShareAnOutputFolder) {
  const TempDir dir;
  Host host(dir.path());
  ASSERT_TRUE(host.commit({CreateJob{range_job("a", 100, dir.path("out"))}}));
  const Result<void> refused = host.commit({CreateJob{range_job("b", 100, dir.path("out"))}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("job a"), std::string::npos);
}

TEST(JobStore, AJobBegunAnewFindsAnEmptyFolder) {
  const TempDir dir;
  const std::string out = dir.path("out");
  Host host(dir.path());
  ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
  ASSERT_TRUE(host.commit(committing(attempt("job", out, 20, {"a", "b"}))));
  ASSERT_TRUE(host.commit({SetJobState{"job", JobState::Succeeded, {}, 0}}));
  EXPECT_TRUE(fs::exists(out + "/_SUCCESS"));
  ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
  EXPECT_FALSE(fs::exists(out + "/_SUCCESS"));
  EXPECT_FALSE(fs::exists(out + "/manifest.json"));
  EXPECT_FALSE(fs::exists(out + "/parts"));
  ASSERT_TRUE(host.commit(committing(attempt("job", out, 20, {"a"}))));
  EXPECT_TRUE(fs::exists(part_path(out, 20, "a")));
  host.store.reset();
  const Host again(dir.path());
  EXPECT_TRUE(fs::exists(part_path(out, 20, "a")));
}

TEST(JobStore, AResumedJobLosesItsMergeAndItsSuccessButKeepsItsParts) {
  const TempDir dir;
  const std::string out = dir.path("out");
  Host host(dir.path());
  const StoredJob job = range_job("job", 100, out);
  ASSERT_TRUE(host.commit({CreateJob{job}}));
  ASSERT_TRUE(host.commit(committing(attempt("job", out, 20, {"a"}))));
  MoveFiles merge = attempt("job", out, 100, {"all"});
  merge.begin = 0;
  merge.merge = true;
  ASSERT_TRUE(host.commit({merge, SetJobState{"job", JobState::Succeeded, {}, 0}}));
  EXPECT_TRUE(fs::exists(out + "/all"));
  ASSERT_TRUE(host.commit({ReplanJob{job}}));
  EXPECT_FALSE(fs::exists(out + "/all"));
  EXPECT_FALSE(fs::exists(out + "/_SUCCESS"));
  EXPECT_TRUE(fs::exists(part_path(out, 20, "a")));
  EXPECT_TRUE(fs::exists(out + "/.attempts"));
}

TEST(JobStore, AJobWithoutFilesEndsWithoutAManifest) {
  const TempDir dir;
  Host host(dir.path());
  ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, dir.path("out"))}}));
  ASSERT_TRUE(host.commit({SetJobState{"job", JobState::Succeeded, {}, 0}}));
  EXPECT_FALSE(fs::exists(dir.path("out/_SUCCESS")));
}

TEST(JobStore, ADroppedAttemptIsRemoved) {
  const TempDir dir;
  const std::string out = dir.path("out");
  Host host(dir.path());
  ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
  const MoveFiles move = attempt("job", out, 0, {"a"});
  write_file(dir.path("precious"), "x");
  ASSERT_TRUE(
      host.commit({DropAttempt{move.attempt_dir}, DropAttempt{dir.path()}, DropAttempt{out + "/.attempts/.."}}));
  EXPECT_FALSE(fs::exists(move.attempt_dir));
  EXPECT_TRUE(fs::exists(dir.path("precious")));
}

// A host that died between the commit point and the moves: by hand, in the ledger.
bool commit_to_ledger(const std::string &state, const StoreBatch &batch) {
  Result<Ledger> ledger = Ledger::open(state + "/ledger.sqlite");
  return ledger && ledger->begin() && ledger->apply(batch) && ledger->commit();
}

void commit_without_moving(const TempDir &dir, const StoreBatch &batch) {
  ASSERT_TRUE(commit_to_ledger(dir.path(), batch));
}

TEST(JobStore, AStartRollsCommittedFilesForward) {
  const TempDir dir;
  const std::string out = dir.path("out");
  const MoveFiles move = attempt("job", out, 20, {"a", "b"});
  attempt("job", out, 30, {"stale"});
  commit_without_moving(dir, {CreateJob{range_job("job", 100, out)}});
  commit_without_moving(dir, committing(move));
  const Host host(dir.path());
  EXPECT_TRUE(host.problems.empty());
  EXPECT_EQ(host.jobs[0].rows, (std::vector<SliceRow>{{20, 30, SliceState::Done, 0, 0, {}}}));
  EXPECT_TRUE(fs::exists(part_path(out, 20, "b")));
  EXPECT_TRUE(fs::is_empty(out + "/.attempts"));
}

TEST(JobStore, AStartTellsTheOutputFolderOfAJobThatHadEnded) {
  const TempDir dir;
  const std::string out = dir.path("out");
  {
    Host host(dir.path());
    ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
    ASSERT_TRUE(host.commit(committing(attempt("job", out, 20, {"a"}))));
  }
  commit_without_moving(dir, {SetJobState{"job", JobState::Succeeded, {}, 0}});
  const Host host(dir.path());
  EXPECT_TRUE(fs::exists(out + "/_SUCCESS"));
  EXPECT_TRUE(fs::exists(out + "/manifest.json"));
}

TEST(JobStore, AStartFinishesRemovingWhatAJobBegunAnewLeft) {
  const TempDir dir;
  const std::string out = dir.path("out");
  {
    Host host(dir.path());
    ASSERT_TRUE(host.commit({CreateJob{range_job("job", 100, out)}}));
    ASSERT_TRUE(host.commit(committing(attempt("job", out, 20, {"a"}))));
  }
  commit_without_moving(dir, {CreateJob{range_job("job", 100, out)}});
  const Host host(dir.path());
  EXPECT_FALSE(fs::exists(part_path(out, 20, "a")));
}

TEST(JobStore, CommittedFilesThatAreGoneAreAProblemOfTheirJobAlone) {
  const TempDir dir;
  const MoveFiles lost = attempt("lost", dir.path("lost"), 20, {"a"});
  const MoveFiles fine = attempt("fine", dir.path("fine"), 20, {"a"});
  commit_without_moving(
      dir, {CreateJob{range_job("lost", 100, dir.path("lost"))}, CreateJob{range_job("fine", 100, dir.path("fine"))}});
  commit_without_moving(dir, committing(lost));
  commit_without_moving(dir, committing(fine));
  fs::remove_all(lost.attempt_dir);
  Host host(dir.path());
  ASSERT_EQ(host.problems.size(), 1U);
  EXPECT_EQ(host.problems[0].where, "lost");
  EXPECT_EQ(host.jobs[0].rows[0].state, SliceState::Committing);
  EXPECT_EQ(host.jobs[1].rows[0].state, SliceState::Done);
  // The way out.
  ASSERT_TRUE(host.commit({CreateJob{range_job("lost", 100, dir.path("lost"))}}));
  host.store.reset();
  EXPECT_TRUE(Host(dir.path()).problems.empty());
}

std::vector<MergeRange> read_committed(MergeInputReader &reader) {
  std::vector<MergeRange> ranges;
  for (;;) {
    Result<std::optional<MergeRange>> next = reader.next_committed();
    EXPECT_TRUE(next);
    if (!next || !*next) return ranges;
    ranges.push_back(**next);
  }
}

TEST(JobStore, MergeReadsAllThatIsCommittedInOrder) {
  const TempDir dir;
  const std::string out = dir.path("out");
  Host host(dir.path());
  ASSERT_TRUE(
      host.commit({CreateJob{lines_job("job", {{"/a", 50, 0, 0, 0}, {"/b", 0, 0, 0, 0}, {"/c", 30, 0, 0, 0}}, out)}}));
  ASSERT_TRUE(host.commit(committing(attempt("job", out, 20, {"x", "y"}))));
  ASSERT_TRUE(
      host.commit({PutRows{"job",
                           {put_row(0, 40, SliceState::Done),
                            {20, std::nullopt},
                            {std::nullopt, SliceRow{40, 50, SliceState::Quarantined, 4, 0, "killed by SIGSEGV"}},
                            put_row(50, 80, SliceState::Done)}},
                   PutResult{"job", 2, 10, 20, false, "eleven"}, PutResult{"job", 0, 0, 0, true, "old merge"},
                   AddCounters{"job", {{"n", 42}}}}));
  const Result<std::string> path = host.merge_input("job");
  ASSERT_TRUE(path) << path.error().text();
  const std::string bytes = read_file(*path);
  Result<MergeInputReader> reader = MergeInputReader::open(bytes);
  ASSERT_TRUE(reader);
  const std::vector<MergeRange> ranges = read_committed(*reader);
  ASSERT_EQ(ranges.size(), 6U);
  const auto is = [&](std::size_t i, std::int32_t input, std::int64_t begin, std::int64_t end) {
    EXPECT_EQ(ranges[i].input, input) << i;
    EXPECT_EQ(ranges[i].begin, begin) << i;
    EXPECT_EQ(ranges[i].end, end) << i;
  };
  is(0, 0, 0, 20);
  is(1, 0, 20, 30);
  is(2, 0, 30, 40);
  is(3, 2, 0, 10);
  is(4, 2, 10, 20);
  is(5, 2, 20, 30);
  ASSERT_EQ(ranges[1].files.size(), 2U);
  EXPECT_EQ(ranges[1].files[1], part_path(out, 20, "y"));
  EXPECT_FALSE(ranges[1].result);
  EXPECT_EQ(ranges[4].result, "eleven");
  const MergeRange bad = **reader->next_quarantined();
  EXPECT_EQ(bad.begin, 40);
  EXPECT_STREQ(bad.reason, "killed by SIGSEGV");
  EXPECT_EQ(reader->counter("n"), 42);
  ASSERT_TRUE(host.commit({SetJobState{"job", JobState::Partial, "", 0}}));
  EXPECT_FALSE(fs::exists(*path));
}

TEST(JobStore, MergeSeesAnIsolatedRecordToItsEndBehindItsSlice) {
  const TempDir dir;
  Host host(dir.path());
  SliceRow isolated{40, 50, SliceState::Isolated, 2, 0, "killed by SIGSEGV"};
  ASSERT_TRUE(host.commit({CreateJob{lines_job("job", {{"/a", 90, 0, 0, 0}}, dir.path("out"))},
                           PutRows{"job", {put_row(0, 40, SliceState::Done), {std::nullopt, isolated}}},
                           PutIsolated{"job", {0, {40, 70}, "a long line", std::nullopt}}}));
  const std::string bytes = read_file(*host.merge_input("job"));
  Result<MergeInputReader> reader = MergeInputReader::open(bytes);
  const auto bad = *reader->next_quarantined();
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->begin, 40);
  EXPECT_EQ(bad->end, 70);
}

TEST(JobStore, MergeOfWholeFilesSeesTheirBytes) {
  const TempDir dir;
  Host host(dir.path());
  StoredJob job = lines_job("job", {{"/a", 7, 0, 0, 0}, {"/b", 0, 0, 0, 0}, {"/c", 5, 0, 0, 0}}, dir.path("out"));
  job.identity.input.kind = InputKind::File;
  job.manifest = Manifest(InputKind::File, job.manifest.inputs(), 0, 1, 0, {}, 1);
  job.rows = {{0, 13, SliceState::Done, 0, 0, {}}};
  ASSERT_TRUE(host.commit({CreateJob{job}, PutResult{"job", 0, 0, 7, false, "r"}}));
  const std::string bytes = read_file(*host.merge_input("job"));
  Result<MergeInputReader> reader = MergeInputReader::open(bytes);
  const std::vector<MergeRange> ranges = read_committed(*reader);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0].end, 7);
  EXPECT_EQ(ranges[1].end, 0);
  EXPECT_EQ(ranges[2].end, 5);
}

TEST(JobStore, MergeInputOfAnUnknownJobIsAnError) {
  const TempDir dir;
  Host host(dir.path());
  EXPECT_FALSE(host.merge_input("nobody"));
}

Input look(const std::string &path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return {path, status.st_size, status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec,
          status.st_dev, status.st_ino};
}

TEST(JobStore, InputsThatChangedAreNamed) {
  const TempDir dir;
  write_file(dir.path("a"), "aaa");
  write_file(dir.path("b"), "bbb");
  const Input a = look(dir.path("a"));
  const Input b = look(dir.path("b"));
  Host host(dir.path());
  EXPECT_TRUE(host.check({a, b, {dir.path("gone before"), kGone, 0, 0, 0}, {"", 100, 0, 0, 0}}));
  write_file(dir.path("b"), "bbbb");
  EXPECT_EQ(host.check({a, b}).error().text(), "input " + dir.path("b") + " changed (size)");
  Input touched = a;
  ++touched.mtime_ns;
  EXPECT_EQ(host.check({touched}).error().text(), "input " + dir.path("a") + " changed (time)");
  Input other = a;
  ++other.inode;
  EXPECT_EQ(host.check({other}).error().text(), "input " + dir.path("a") + " changed (another file)");
  fs::remove(dir.path("a"));
  EXPECT_EQ(host.check({a}).error().text(), "input " + dir.path("a") + " is gone");
}

// ---- kill -9 ----------------------------------------------------------------------------------------------------

constexpr std::int64_t kSlices = 1'000'000;  // more than are done in this test
constexpr int kKills = 25;

// One slice as a worker and the supervisor would do it. Tells each step by a byte to `steps`.
void do_slice(Host &host, const std::string &out, std::int64_t begin, int steps) {
  const auto tell = [&] { (void)!::write(steps, "s", 1); };
  const MoveFiles move = attempt("job", out, begin, {"a", "b"}, std::to_string(begin));
  tell();
  StoreBatch batch = committing(move);
  batch.push_back(PutResult{"job", 0, begin, begin + 10, false, std::to_string(begin)});
  batch.push_back(AddCounters{"job", {{"n", 1}, {"sum", begin}}});
  host.store->commit(std::move(batch), {});
  tell();
  if (!host.commit({})) ::_exit(3);
  tell();
  // Not waited for: it may go with the next one.
  host.store->commit({PutRows{"job", {put_row(begin, begin + 10, SliceState::Done)}}}, {});
}

// Goes on where the ledger stands, slice after slice. Returns only when something is wrong.
int host_until_killed(const std::string &state, const std::string &out, int steps) {
  Host host(state);
  if (host.jobs.empty()) {
    if (!host.commit({CreateJob{range_job("job", kSlices * 10, out)}})) return 1;
    host.jobs.push_back(range_job("job", kSlices * 10, out));
  }
  if (!host.problems.empty()) return 2;
  std::set<std::int64_t> done;
  for (const SliceRow &row : host.jobs[0].rows) {
    if (row.state != SliceState::Done) return 4;
    done.insert(row.begin);
  }
  for (std::int64_t begin = 0; begin < kSlices * 10; begin += 10)
    if (!done.contains(begin)) do_slice(host, out, begin, steps);
  return 5;
}

// What is done, counted, stored and in place must be the same slices. Gives their number.
std::int64_t check_exactly_once(const std::string &state, const std::string &out) {
  const Host host(state);
  EXPECT_TRUE(host.problems.empty());
  if (host.jobs.empty()) return 0;
  const StoredJob &job = host.jobs[0];
  std::int64_t done = 0;
  std::int64_t sum = 0;
  for (const SliceRow &row : job.rows) {
    EXPECT_EQ(row.state, SliceState::Done);
    ++done;
    sum += row.begin;
    for (const char *name : {"a", "b"})
      EXPECT_EQ(read_file(part_path(out, row.begin, name)), std::to_string(row.begin));
  }
  const auto counter = [&](const char *name) { return job.counters.contains(name) ? job.counters.at(name) : 0; };
  EXPECT_EQ(counter("n"), done);
  EXPECT_EQ(counter("sum"), sum);
  Result<Ledger> ledger = Ledger::open_read_only(state + "/ledger.sqlite");
  std::int64_t results = 0;
  EXPECT_TRUE(ledger->for_each_result("job", [&](const StoredResult &result) -> Result<void> {
    EXPECT_EQ(*result.data, std::to_string(result.place.begin));
    ++results;
    return {};
  }));
  EXPECT_EQ(results, done);
  std::int64_t files = 0;
  if (fs::exists(out + "/parts"))
    for (const auto &entry : fs::recursive_directory_iterator(out + "/parts")) files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 2 * done);
  EXPECT_TRUE(!fs::exists(out + "/.attempts") || fs::is_empty(out + "/.attempts"));
  return done;
}

TEST(JobStore, AHostThatIsKilledAtAnyMomentLosesAndDoublesNothing) {
  const TempDir dir;
  const std::string out = dir.path("out");
  std::mt19937 random(11);
  std::int64_t before = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      ::_exit(host_until_killed(dir.path(), out, pipe[1]));
    }
    ::close(pipe[1]);
    // So many steps, and whatever happens while the signal is on its way.
    char step = 0;
    for (auto steps = random() % 14; steps > 0 && ::read(pipe[0], &step, 1) == 1; --steps) continue;
    for (std::atomic<unsigned> spin = random() % 300'000; spin > 0; --spin) continue;
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::close(pipe[0]);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the host ended by itself with " << WEXITSTATUS(status);
    const std::int64_t done = check_exactly_once(dir.path(), out);
    ASSERT_GE(done, before);
    before = done;
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(before, 0);
}

// ---- a full disk ------------------------------------------------------------------------------------------------

// In a mount namespace of our own.
bool mount_small(const std::string &at, const char *size) {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", at.c_str(), "tmpfs", 0, size) == 0;
}

// In a child: what does not hold there is told by its exit code.
int on_a_full_disk(const std::string &folder) {
  if (!mount_small(folder, "size=2m")) return 77;
  const std::string out = folder + "/out";
  Host host(folder);
  if (!host.commit({CreateJob{range_job("job", 1000, out)}})) return 1;
  write_file(folder + "/filler", std::string(std::size_t{4} << 20, 'x'));
  std::optional<Result<void>> done;
  host.store->commit({PutResult{"job", 0, 0, 10, false, std::string(300'000, 'r')}, AddCounters{"job", {{"n", 1}}}},
                     [&](const Result<void> &result) { done = result; });
  while (host.reports.empty()) host.inbox().run_one();
  if (done) return 2;
  if (host.reports[0].find("the disk is full") == std::string::npos) return 3;
  fs::remove(folder + "/filler");
  while (!done || host.reports.size() < 2) host.inbox().run_one();
  if (!*done) return 4;
  if (!host.reports[1].empty()) return 5;
  host.store.reset();
  return Host(folder).jobs[0].counters.at("n") == 1 ? 0 : 6;
}

// Many times more goes through the ledger than its disk holds, and little of it stays.
int on_a_small_disk(const std::string &folder) {
  if (!mount_small(folder, "size=2m")) return 77;
  constexpr std::int64_t kSlices = 2000;
  Host host(folder);
  if (!host.commit({CreateJob{range_job("job", kSlices * 10, folder + "/out")}})) return 1;
  for (std::int64_t i = 0; i < kSlices; ++i)
    if (!host.commit({PutRows{"job", {put_row(i * 10, i * 10 + 10, SliceState::Done)}},
                      PutResult{"job", 0, i * 10, i * 10 + 10, false, "sixteen bytes..."},
                      AddCounters{"job", {{"n", 1}}}}))
      return 2;
  return host.reports.empty() ? 0 : 3;
}

// The ledger's disk has room, that of the output has not.
int on_a_full_output(const std::string &folder) {
  const std::string out = folder + "/out";
  fs::create_directory(out);
  if (!mount_small(out, "size=1m,nr_inodes=12")) return 77;
  Host host(folder);
  if (!host.commit({CreateJob{range_job("job", 1000, out)}})) return 1;
  const MoveFiles move = attempt("job", out, 20, {"a"});
  for (int i = 0; i < 12; ++i) write_file(out + "/.attempts/filler-" + std::to_string(i), "");
  std::optional<Result<void>> done;
  host.store->commit(committing(move), [&](const Result<void> &result) { done = result; });
  while (host.reports.empty()) host.inbox().run_one();
  if (done) return 2;
  // Others are not held up.
  if (!host.commit({AddCounters{"job", {{"n", 1}}}})) return 3;
  for (int i = 0; i < 12; ++i) fs::remove(out + "/.attempts/filler-" + std::to_string(i));
  while (!done) host.inbox().run_one();
  return *done && read_file(part_path(out, 20, "a")) == "text" ? 0 : 4;
}

// A host has committed a slice and died, and the next one has no room for its files.
int committed_where_the_disk_is_full_at_the_start(const std::string &folder) {
  const std::string out = folder + "/out";
  fs::create_directory(out);
  if (!mount_small(out, "size=1m,nr_inodes=12")) return 77;
  const MoveFiles move = attempt("job", out, 20, {"a", "b"});
  if (!commit_to_ledger(folder, {CreateJob{range_job("job", 1000, out)}})) return 1;
  if (!commit_to_ledger(folder, committing(move))) return 2;
  fs::create_directory(out + "/full");
  for (int i = 0; i < 12; ++i) write_file(out + "/full/" + std::to_string(i), "");
  Host host(folder);
  if (!host.problems.empty() || host.jobs[0].rows[0].state != SliceState::Committing) return 3;
  if (host.jobs[0].to_place.size() != 1) return 4;
  std::optional<Result<void>> done;
  host.store->commit({host.jobs[0].to_place[0]}, [&](const Result<void> &result) { done = result; });
  while (host.reports.empty()) host.inbox().run_one();
  if (done || host.reports[0].find("No space left on device") == std::string::npos) return 5;
  fs::remove_all(out + "/full");
  while (!done) host.inbox().run_one();
  if (!*done || read_file(part_path(out, 20, "a")) != "text" || read_file(part_path(out, 20, "b")) != "text") return 6;
  host.store.reset();
  const Host next(folder);
  if (next.jobs[0].rows != std::vector<SliceRow>{{20, 30, SliceState::Done, 0, 0, {}}}) return 7;
  return next.jobs[0].to_place.empty() && fs::is_empty(out + "/.attempts") ? 0 : 8;
}

// On a disk that is full now, a job has ended, and its host before it could say so in the folder.
int end_without_telling(const std::string &folder, const std::string &out) {
  fs::create_directory(out);
  if (!mount_small(out, "size=1m,nr_inodes=12")) return 77;
  {
    Host host(folder);
    if (!host.commit({CreateJob{range_job("job", 1000, out)}})) return 1;
    if (!host.commit(committing(attempt("job", out, 20, {"a"})))) return 2;
  }
  if (!commit_to_ledger(folder, {SetJobState{"job", JobState::Succeeded, {}, 0}})) return 3;
  fs::create_directory(out + "/full");
  for (int i = 0; i < 12; ++i) write_file(out + "/full/" + std::to_string(i), "");
  return 0;
}

int on_an_output_that_is_full_at_the_start(const std::string &folder) {
  const std::string out = folder + "/out";
  if (const int code = end_without_telling(folder, out); code != 0) return code;
  Host host(folder);
  if (!host.problems.empty() || host.jobs[0].state != JobState::Succeeded) return 4;
  while (host.reports.empty()) host.inbox().run_one();
  if (host.reports[0].find("No space left on device") == std::string::npos) return 5;
  if (fs::exists(out + "/_SUCCESS")) return 6;
  fs::remove_all(out + "/full");
  while (host.reports.size() < 2) host.inbox().run_one();
  if (!host.reports[1].empty() || !fs::exists(out + "/_SUCCESS") || !fs::exists(out + "/manifest.json")) return 7;
  host.store.reset();
  return Host(folder).problems.empty() ? 0 : 8;
}

// Somebody has it begin anew first.
int anew_in_an_output_that_was_full_at_the_start(const std::string &folder) {
  const std::string out = folder + "/out";
  if (const int code = end_without_telling(folder, out); code != 0) return code;
  Host host(folder, std::chrono::hours(1));  // only when there is something else to do
  fs::remove_all(out + "/full");
  if (!host.commit({CreateJob{range_job("job", 1000, out)}})) return 4;
  if (!host.commit(committing(attempt("job", out, 30, {"a"})))) return 5;
  if (fs::exists(out + "/_SUCCESS") || fs::exists(part_path(out, 20, "a"))) return 6;
  return OutputFolder(out).lock() ? 7 : 0;
}

void run_apart(int (*body)(const std::string &)) {
  const TempDir dir;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body(dir.path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no tmpfs may be mounted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(JobStore, AFullDiskIsToldAndWaitedFor) {
  run_apart(on_a_full_disk);
}

TEST(JobStore, WhatAFormerHostHasCommittedIsPlacedOnceThereIsRoom) {
  run_apart(committed_where_the_disk_is_full_at_the_start);
}

TEST(JobStore, AnEndedJobsFolderIsToldOnceThereIsRoom) {
  run_apart(on_an_output_that_is_full_at_the_start);
}

TEST(JobStore, AJobThatBeganAnewIsNotToldToHaveEnded) {
  run_apart(anew_in_an_output_that_was_full_at_the_start);
}

TEST(JobStore, ASmallDiskIsNotFilledByWhatHasPassed) {
  run_apart(on_a_small_disk);
}

TEST(JobStore, AFullOutputFolderIsToldAndWaitedForWithoutHoldingUpOthers) {
  run_apart(on_a_full_output);
}

}  // namespace
}  // namespace hostler
