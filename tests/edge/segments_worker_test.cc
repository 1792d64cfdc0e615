// A worker whose plugin ends segments: what it tells of them, what it waits for, and how it goes on at one.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "edge/fleet_harness.h"

namespace hostler {
namespace {

class SegmentsWorker : public testing::Test {
 protected:
  FleetHarness h;

  // Answers every segment, the first one with `error`; told its leases as soon as it is loaded, then dismissed.
  WorkerId work(std::map<std::string, std::string> params, std::vector<Lease> leases, std::int32_t error = 0) {
    Start start = h.start_of("segments.so", std::move(params));
    start.job = true;
    start.job_id = "job-1";
    h.when_told = [this, leases = std::move(leases), error](WorkerId told, const WorkerMessage &message) mutable {
      if (const auto *segment = std::get_if<SegmentEnded>(&message))
        h.fleet->checkpointed(told, {segment->lease, segment->position, std::exchange(error, 0)});
      if (!std::holds_alternative<Loaded>(message)) return;
      for (const Lease &lease : leases) h.fleet->lease(told, lease);
      h.fleet->dismiss(told);
    };
    return h.launch(std::move(start));
  }
  FleetHarness::Seen &finish(WorkerId worker) {
    h.until_gone(worker);
    EXPECT_EQ(*h.seen[worker].status, (WaitStatus{false, 0, false}));
    return h.seen[worker];
  }
  static Lease range(std::int64_t begin, std::int64_t end) {
    Lease lease;
    lease.id = 17;
    lease.begin = begin;
    lease.end = end;
    lease.kind = InputKind::Range;
    lease.slice_size = 10;
    lease.plan_count = 100;
    lease.inputs = {Input{"", 1000, 0, 0, 0}};
    return lease;
  }
  Lease lines(const std::string &text) {
    const std::string path = h.dir.path("text");
    write_file(path, text);
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    Lease lease;
    lease.id = 18;
    lease.kind = InputKind::Lines;
    lease.end = lease.slice_size = status.st_size;
    lease.plan_count = 1;
    lease.inputs = {Input{path, status.st_size,
                          status.st_mtim.tv_sec * std::int64_t{1000000000} + status.st_mtim.tv_nsec, status.st_dev,
                          status.st_ino}};
    return lease;
  }
  // What segments.cc saves.
  static std::string state(std::int64_t records, std::int64_t sum) {
    std::string bytes(2 * sizeof records, '\0');
    std::memcpy(bytes.data(), &records, sizeof records);
    std::memcpy(bytes.data() + sizeof records, &sum, sizeof sum);
    return bytes;
  }
  std::string folder(const std::string &name) { return h.dir.path("out/.attempts/" + name); }
};

TEST_F(SegmentsWorker, TellsWhatEachHasLeftSinceTheLast) {
  const auto &seen = finish(work({{"every", "4"}, {"bad", "3"}}, {range(0, 10)}));
  const auto segments = seen.all<SegmentEnded>();
  ASSERT_EQ(segments.size(), 2U);
  EXPECT_EQ(segments[0].begin, 0);
  EXPECT_EQ(segments[0].position, 4);
  EXPECT_EQ(segments[0].counters, (std::map<std::string, std::int64_t>{{"records", 2}, {"sum", 3}}));
  EXPECT_EQ(segments[0].skipped, (std::vector<Aside>{{0, 1, "", "bad record"}, {3, 4, "", "bad record"}}));
  EXPECT_EQ(segments[0].data, state(2, 3));
  EXPECT_EQ(segments[0].attempt_dir, folder("0-0.17"));
  EXPECT_EQ(segments[0].files, (std::vector<OutputLength>{{"copy", 4}}));
  EXPECT_EQ(segments[1].position, 8);
  EXPECT_EQ(segments[1].counters, (std::map<std::string, std::int64_t>{{"records", 3}, {"sum", 16}}));
  EXPECT_EQ(segments[1].files, (std::vector<OutputLength>{{"copy", 10}}));
  const auto ended = seen.all<SliceEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].counters, (std::map<std::string, std::int64_t>{{"records", 1}, {"sum", 8}}));
  EXPECT_EQ(ended[0].skipped, (std::vector<Aside>{{9, 10, "", "bad record"}}));
  EXPECT_EQ(ended[0].result, "6 27");
  EXPECT_EQ(ended[0].files, std::vector<std::string>{"copy"});
  EXPECT_EQ(read_file(folder("0-0.17/copy")), "1\n2\n4\n5\n7\n8\n");
}

TEST_F(SegmentsWorker, ThatWasRefusedHasChangedNothing) {
  const auto &seen = finish(work({{"every", "4"}, {"bad", "3"}, {"careless", "true"}}, {range(0, 10)}, ENOSPC));
  const auto segments = seen.all<SegmentEnded>();
  ASSERT_EQ(segments.size(), 2U);
  EXPECT_EQ(segments[1].counters, (std::map<std::string, std::int64_t>{{"records", 5}, {"sum", 19}}));
  EXPECT_EQ(segments[1].skipped.size(), 3U);
}

TEST_F(SegmentsWorker, GoesOnWhereTheLastOneStood) {
  std::filesystem::create_directories(folder("0-0.3"));
  write_file(folder("0-0.3/copy"), "0\n1\n2\n3\nwritten later");
  write_file(folder("0-0.3/late"), "not committed");
  Lease lease = range(0, 10);
  lease.attempt = 2;
  lease.saved = Saved{4, state(4, 6), folder("0-0.3"), {{"copy", 8}}};
  const auto &seen = finish(work({{"every", "100"}}, {lease}));
  const auto ended = seen.all<SliceEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].returned, 0) << ended[0].reason;
  EXPECT_EQ(ended[0].attempt_dir, folder("0-0.3"));
  EXPECT_EQ(ended[0].files, std::vector<std::string>{"copy"});
  EXPECT_EQ(ended[0].result, "10 45");
  EXPECT_EQ(ended[0].counters, (std::map<std::string, std::int64_t>{{"records", 6}, {"sum", 39}}));
  EXPECT_EQ(read_file(folder("0-0.3/copy")), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  EXPECT_FALSE(std::filesystem::exists(folder("0-0.3/late")));
}

TEST_F(SegmentsWorker, ASliceThatIsDoneUpToItsEndIsToldOfAllTheSame) {
  Lease lease = range(0, 10);
  lease.saved = Saved{10, state(10, 45), "", {}};
  const auto ended = finish(work({}, {lease})).all<SliceEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].returned, 0) << ended[0].reason;
  EXPECT_EQ(ended[0].result, "10 45");
}

TEST_F(SegmentsWorker, SaysWhenWhatWasCommittedIsNotThere) {
  std::filesystem::create_directories(folder("0-0.3"));
  const auto try_it = [&](const std::vector<OutputLength> &files) {
    Lease lease = range(0, 10);
    lease.saved = Saved{4, state(4, 6), folder("0-0.3"), files};
    const auto ended = finish(work({}, {lease})).all<SliceEnded>();
    return ended.size() == 1 && ended[0].saved_lost && !ended[0].io_failed ? ended[0].reason : "no";
  };
  EXPECT_NE(try_it({{"gone", 1}}).find("No such file"), std::string::npos);
  write_file(folder("0-0.3/short"), "1234567");
  EXPECT_NE(try_it({{"short", 8}}).find("shorter"), std::string::npos);
  write_file(h.dir.path("elsewhere"), "12345678");
  std::filesystem::create_symlink(h.dir.path("elsewhere"), folder("0-0.3/link"));
  EXPECT_NE(try_it({{"link", 8}}), "no");
  ASSERT_EQ(::mkfifo(folder("0-0.3/pipe").c_str(), 0600), 0);
  EXPECT_NE(try_it({{"pipe", 0}}), "no");
}

TEST_F(SegmentsWorker, SkipsALineWithItsBytes) {
  const auto ended = finish(work({{"every", "100"}}, {lines("good\nbad!\nlast!")})).all<SliceEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].skipped, (std::vector<Aside>{{5, 10, "bad!\n", "bad record"}, {10, 15, "last!", "bad record"}}));
}

TEST_F(SegmentsWorker, KeepsOfALongRecordItsFirst64KiB) {
  const auto ended = finish(work({{"every", "100"}}, {lines(std::string(100'000, 'x') + "!\n")})).all<SliceEnded>();
  ASSERT_EQ(ended.size(), 1U);
  ASSERT_EQ(ended[0].skipped.size(), 1U);
  EXPECT_EQ(ended[0].skipped[0].bytes.size(), kMaxAsideBytes);
  EXPECT_EQ(ended[0].skipped[0].end, 100'002);
}

TEST_F(SegmentsWorker, HearsOfItsNextLeaseAfterItsAnswer) {
  Lease next = range(10, 20);
  next.id = 18;
  const auto &seen = finish(work({{"every", "4"}}, {range(0, 10), next}));
  EXPECT_EQ(seen.all<SegmentEnded>().size(), 4U);
  EXPECT_EQ(seen.all<LeaseEnded>(), (std::vector<LeaseEnded>{{17, 10}, {18, 20}}));
}

TEST_F(SegmentsWorker, ThatWaitsIsEndedWithItsHost) {
  Start start = h.start_of("segments.so", {{"every", "4"}});
  start.job = true;
  const WorkerId worker = h.launch(std::move(start));
  h.when_told = [this](WorkerId told, const WorkerMessage &message) {
    if (std::holds_alternative<Loaded>(message)) h.fleet->lease(told, range(0, 10));
  };
  h.until([&] { return !h.seen[worker].all<SegmentEnded>().empty(); });
  EXPECT_EQ(static_cast<Stage>(h.fleet->page(worker).stage), Stage::Checkpointing);
  h.fleet->stop(worker, StopWord::Cancel, SIGTERM);  // no reason to go on without an answer
  h.fleet->dismiss(worker);
  const int pid = *h.seen[worker].pid;
  h.fleet.reset();
  EXPECT_NE(::kill(pid, 0), 0);
}

}  // namespace
}  // namespace hostler
