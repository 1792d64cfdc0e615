#include "core/messages.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <vector>

#include "core/output_layout.h"

namespace hostler {
namespace {

TEST(OutputLayout, OnlyAttemptFoldersHaveAnAttemptsName) {
  for (const std::string &name :
       {attempt_folder(3, 16777216, false, 17), attempt_folder(0, 0, false, 1), attempt_folder(0, 0, true, 18),
        attempt_folder(999'999, INT64_MAX, false, UINT64_MAX)})
    EXPECT_TRUE(is_attempt_name(name)) << name;
  for (const char *other : {"", ".", "0", "0-0", "0-0.", "0.1", "merge", "merge.", "merge.x", "00-0.1", "0-0.01",
                            "a-0.1", "0-0.1.2", "+1-0.1", "precious", "manifest.json", "0-0.99999999999999999999"})
    EXPECT_FALSE(is_attempt_name(other)) << other;
}

Start a_start() {
  Start start;
  start.name = "wordcount";
  start.instance = 3;
  start.count = 7;
  start.library = "/state/store/ab/wordcount.so";
  start.plugin = "wordcount.so";
  start.cwd = "/data";
  start.umask = 022;
  start.env = {{"TZ", "UTC"}, {"EMPTY", ""}};
  start.params = {{"top", "20"}};
  start.job = true;
  start.job_id = "j-1";
  start.attempts_dir = "/out/.attempts";
  start.stop_signal = 10;
  start.codes = {{3, 0, 1}, {255, 65, 0}};
  start.limits = {100, 0, 1 << 20, 64, true, 1 << 30, 65, 50'000};
  start.user = User{"nobody", 65534, 65533, {65533, 7}, "/nonexistent"};
  start.trouble = "no cgroup";
  return start;
}

Lease a_lease() {
  Lease lease;
  lease.id = 1234567890123;
  lease.begin = 100;
  lease.end = 300;
  lease.attempt = 2;
  lease.kind = InputKind::Items;
  lease.slice_size = 10;
  lease.unit = 4;
  lease.base = -5;
  lease.plan_count = 99;
  lease.first_input = 6;
  lease.first_offset = 50;
  lease.first_index = 11;
  lease.inputs = {{"/data/a", 1, 2, 3, 4}, {"", 5, 6, 7, 8}};
  lease.items_first = 100;
  lease.items = {"a", "", std::string("b\0c", 3)};
  lease.merge_input = "/state/merge";
  lease.saved = Saved{120, std::string("\0state", 6), "/out/.attempts/0-100.3", {{"a.txt", 12}, {"b.txt", 0}}};
  return lease;
}

SegmentEnded a_segment_ended() {
  SegmentEnded ended;
  ended.lease = 9;
  ended.begin = 5;
  ended.position = 7;
  ended.data = std::string("\0\1", 2);
  ended.counters = {{"lines", 12}};
  ended.skipped = {{5, 6, std::string("x\0", 2), "bad"}};
  ended.attempt_dir = "/out/.attempts/0-5.9";
  ended.files = {{"a.txt", 3}};
  return ended;
}

SliceEnded a_slice_ended() {
  SliceEnded ended;
  ended.lease = 9;
  ended.slice = {5, 10};
  ended.returned = -3;
  ended.rule = 1;
  ended.counts_as = 75;
  ended.reason = "because";
  ended.claimed = true;
  ended.claimed_to = 8;
  ended.refused = StopWord::Deadline;
  ended.input_changed = true;
  ended.io_failed = true;
  ended.no_room = true;
  ended.saved_lost = true;
  ended.skipped = {{7, 9, "bytes", "bad"}, {9, 10, "", ""}};
  ended.result = std::string("\0\1\2", 3);
  ended.has_result = true;
  ended.counters = {{"lines", 12}, {"errors", -1}};
  ended.attempt_dir = "/out/.attempts/0-5.9";
  ended.files = {"a.txt", "b.txt"};
  return ended;
}

std::vector<HostMessage> host_messages() {
  return {a_start(), a_lease(), Start{}, Lease{}, Checkpointed{9, 7, 28}, Dismissed{}};
}
std::vector<WorkerMessage> worker_messages() {
  return {Loaded{}, Ready{}, a_slice_ended(), SliceEnded{}, LeaseEnded{7, 8}, LeaseCut{7, 8}, a_segment_ended()};
}

std::string_view without_size(const std::string &frame) {
  return std::string_view(frame).substr(4);
}

TEST(Messages, OfTheHostComeBackAsTheyWere) {
  for (const HostMessage &message : host_messages()) {
    const std::string frame = encode(message);
    const auto decoded = decode_host_message(without_size(frame));
    ASSERT_TRUE(decoded) << decoded.error().text();
    EXPECT_EQ(*decoded, message);
  }
}

TEST(Messages, OfTheWorkerComeBackAsTheyWere) {
  for (const WorkerMessage &message : worker_messages()) {
    const std::string frame = encode(message);
    const auto decoded = decode_worker_message(without_size(frame));
    ASSERT_TRUE(decoded) << decoded.error().text();
    EXPECT_EQ(*decoded, message);
  }
}

TEST(Messages, CutShortAnywhereAreRefused) {
  for (const HostMessage &message : host_messages()) {
    const std::string frame = encode(message);
    for (std::size_t size = 0; size + 4 < frame.size(); ++size)
      EXPECT_FALSE(decode_host_message(without_size(frame).substr(0, size))) << size;
  }
  for (const WorkerMessage &message : worker_messages()) {
    const std::string frame = encode(message);
    for (std::size_t size = 0; size + 4 < frame.size(); ++size)
      EXPECT_FALSE(decode_worker_message(without_size(frame).substr(0, size))) << size;
  }
}

TEST(Messages, WithBytesLeftOverAreRefused) {
  for (const WorkerMessage &message : worker_messages())
    EXPECT_FALSE(decode_worker_message(std::string(without_size(encode(message))) + "x"));
}

TEST(Messages, OfTheOtherDirectionAreRefused) {
  EXPECT_FALSE(decode_worker_message(without_size(encode(HostMessage(a_start())))));
  EXPECT_FALSE(decode_host_message(without_size(encode(WorkerMessage(a_slice_ended())))));
}

// Whatever is changed in a message of a worker: an answer, no crash, and no memory for sizes that cannot be.
TEST(Messages, DamagedAnywhereNeverCrash) {
  std::mt19937 random(1);
  const auto byte = [&] { return static_cast<char>(random()); };
  for (int round = 0; round < 20000; ++round) {
    const auto messages = worker_messages();
    std::string body(without_size(encode(messages[random() % messages.size()])));
    for (int change = 0; change < 3; ++change) body[random() % body.size()] = byte();
    (void)decode_worker_message(body);
    (void)decode_host_message(body);
  }
}

TEST(Messages, OfRandomBytesNeverCrash) {
  std::mt19937 random(2);
  for (int round = 0; round < 20000; ++round) {
    std::string body(random() % 200, '\0');
    for (char &c : body) c = static_cast<char>(random());
    if (!body.empty() && round % 2 == 0) body[0] = static_cast<char>(16 + random() % 4);
    (void)decode_worker_message(body);
    (void)decode_host_message(body);
  }
}

TEST(Messages, OfAWorkerBeyondTheLimitsOfTheAbiAreRefused) {
  const auto refused = [](const WorkerMessage &message) {
    return !decode_worker_message(without_size(encode(message))).has_value();
  };
  SliceEnded ended = a_slice_ended();
  EXPECT_FALSE(refused(ended));
  ended.slice = {3, 2};
  EXPECT_TRUE(refused(ended));
  for (const char *name : {"", ".", "..", "a/b", "/etc/passwd"}) {
    ended = a_slice_ended();
    ended.files = {name};
    EXPECT_TRUE(refused(ended)) << name;
  }
  ended = a_slice_ended();
  ended.counters[std::string(65, 'x')] = 1;
  EXPECT_TRUE(refused(ended));
  ended = a_slice_ended();
  ended.reason.assign(1025, 'x');
  EXPECT_TRUE(refused(ended));
  ended = a_slice_ended();
  ended.result.assign((std::size_t{16} << 20) + 1, 'x');
  EXPECT_TRUE(refused(ended));
}

TEST(Messages, OfASegmentBeyondTheLimitsOfTheAbiAreRefused) {
  const auto refused = [](const std::function<void(SegmentEnded &)> &change) {
    SegmentEnded ended = a_segment_ended();
    change(ended);
    return !decode_worker_message(without_size(encode(WorkerMessage(ended)))).has_value();
  };
  EXPECT_FALSE(refused([](SegmentEnded &) {}));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.position = ended.begin; }));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.data.assign((std::size_t{16} << 20) + 1, 'x'); }));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.files = {{"../up", 1}}; }));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.files = {{"a", -1}}; }));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.attempt_dir.clear(); }));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.counters[""] = 1; }));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.skipped[0].end = ended.skipped[0].begin; }));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.skipped[0].bytes.assign(65537, 'x'); }));
  EXPECT_TRUE(refused([](SegmentEnded &ended) { ended.skipped[0].reason.assign(1025, 'x'); }));
}

TEST(Messages, ListsOfAWorkerAreNotReadBeyondAllMeasure) {
  SliceEnded ended = a_slice_ended();
  ended.files.assign(65537, "f");
  EXPECT_EQ(decode_worker_message(without_size(encode(WorkerMessage(ended)))).error().what, "more than 65536 files");
  ended.files.assign(1'000'000, "");
  EXPECT_EQ(decode_worker_message(without_size(encode(WorkerMessage(ended)))).error().what,
            "a message cut short or damaged");
  Lease lease = a_lease();  // the host's own may be as long as need be
  lease.items.assign(1'000'000, "i");
  EXPECT_TRUE(decode_host_message(without_size(encode(HostMessage(lease)))).has_value());
}

TEST(FrameReader, CutsAStreamThatComesByteByByte) {
  std::string stream;
  for (const WorkerMessage &message : worker_messages()) stream += encode(message);
  FrameReader reader;
  std::vector<WorkerMessage> got;
  for (const char c : stream) {
    reader.append({&c, 1});
    const auto frame = reader.next();
    ASSERT_TRUE(frame);
    if (!frame->empty()) got.push_back(*decode_worker_message(*frame));
  }
  EXPECT_EQ(got, worker_messages());
}

TEST(FrameReader, GivesAllFramesOfOnePiece) {
  FrameReader reader;
  std::string stream;
  for (int i = 0; i < 100; ++i) stream += encode(WorkerMessage(LeaseEnded{static_cast<std::uint64_t>(i), i}));
  reader.append(stream);
  for (int i = 0; i < 100; ++i) {
    const auto frame = reader.next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(*decode_worker_message(*frame), WorkerMessage(LeaseEnded{static_cast<std::uint64_t>(i), i}));
  }
  EXPECT_TRUE(reader.next()->empty());
}

TEST(FrameReader, RefusesAFrameLargerThanAnyMessageBeforeItHasCome) {
  FrameReader reader;
  reader.append("\xff\xff\xff\xff");
  EXPECT_FALSE(reader.next());
}

TEST(FrameReader, RefusesAFrameOfNothing) {
  FrameReader reader;
  reader.append(std::string_view("\0\0\0\0", 4));
  EXPECT_FALSE(reader.next());
}

}  // namespace
}  // namespace hostler
