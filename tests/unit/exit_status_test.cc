#include "core/exit_status.h"

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstring>

namespace hostler {
namespace {

Departure left(WaitStatus status, Stage stage) {
  Departure departure;
  departure.status = status;
  departure.page.layout = kPageLayout;
  departure.page.stage = static_cast<std::uint32_t>(stage);
  departure.page_known = true;
  return departure;
}

Departure returned(std::int32_t value) {
  Departure departure = left({false, value & 0xff, false}, Stage::Returned);
  departure.page.returned = value;
  return departure;
}

void set_reason(WorkerPart &page, const char *words) {
  page.reason_size = static_cast<std::uint32_t>(std::strlen(words));
  std::memcpy(page.reason.data(), words, page.reason_size);
}

Verdict table(std::int32_t value) {
  switch (value) {
    case 0: return Verdict::Done;
    case 65: return Verdict::BadData;
    case 75: return Verdict::RetryLater;
    case 78: return Verdict::BadConfig;
    case 85: return Verdict::Yield;
    default: return Verdict::Failure;
  }
}

TEST(ExitStatus, EveryReturnedValueFollowsTheTable) {
  for (std::int32_t value = -3; value <= 300; ++value) EXPECT_EQ(judge(returned(value)).verdict, table(value)) << value;
}

TEST(ExitStatus, AReturnedVerdictStandsWhateverCameAfterIt) {
  for (int signal = 1; signal <= 64; ++signal) {
    Departure departure = returned(65);
    departure.status = {true, signal, false};
    departure.stopping = true;
    EXPECT_EQ(judge(departure).verdict, Verdict::BadData) << signal;
  }
}

TEST(ExitStatus, LeavingWithoutReturningIsACrashWithAnyCode) {
  for (int code = 0; code <= 255; ++code) {
    const Judgement judgement = judge(left({false, code, false}, Stage::Running));
    EXPECT_EQ(judgement.verdict, Verdict::Crash) << code;
    EXPECT_EQ(judgement.reason, "exited with " + std::to_string(code) + " without returning from run()");
  }
}

TEST(ExitStatus, EverySignalIsACrashButAForeignKillIsProbablyOutOfMemory) {
  for (int signal = 1; signal <= 64; ++signal)
    for (const bool core : {false, true})
      for (const Stage stage : {Stage::SetUp, Stage::Waiting, Stage::Loading, Stage::Idle, Stage::Running}) {
        const Judgement judgement = judge(left({true, signal, core}, stage));
        EXPECT_EQ(judgement.verdict, signal == SIGKILL ? Verdict::OutOfMemory : Verdict::Crash) << signal;
        EXPECT_NE(judgement.reason.find(signal_name(signal)), std::string::npos);
      }
}

TEST(ExitStatus, HowFarAWorkerHadComeIsToldInWordsThatFitItsKind) {
  struct Line {
    Stage stage;
    std::int64_t begun;
    const char *service;
    const char *job;
  };
  constexpr std::array kLines{
      Line{Stage::None, -1, " before its plugin was loaded", " before its plugin was loaded"},
      Line{Stage::SetUp, -1, " before its plugin was loaded", " before its plugin was loaded"},
      Line{Stage::Waiting, -1, " before its plugin was loaded", " before its plugin was loaded"},
      Line{Stage::Loading, -1, " while its plugin was being loaded", " while its plugin was being loaded"},
      Line{Stage::Preparing, -1, " in prepare()", " in prepare()"},
      Line{Stage::Idle, -1, " before run() was called", " before its first slice"},
      Line{Stage::Idle, 0, " before run() was called", " between slices"},
      Line{Stage::Running, 0, " without returning from run()", " without returning from run()"},
  };
  for (const Line &line : kLines)
    for (const bool service : {true, false}) {
      Departure departure = left({false, 3, false}, line.stage);
      departure.service = service;
      departure.page.begun = line.begun;
      const std::string when = service ? line.service : line.job;
      EXPECT_EQ(judge(departure).reason, "exited with 3" + when);
      departure.status = {true, SIGSEGV, false};
      EXPECT_EQ(judge(departure).reason, "killed by SIGSEGV" + (line.stage == Stage::Running ? "" : when));
    }
}

TEST(ExitStatus, AKillThatItsCgroupHasCountedIsSurelyOutOfMemory) {
  Departure departure = left({true, SIGKILL, false, std::int64_t{2} << 30}, Stage::Running);
  departure.place = "in slice 3-0";
  EXPECT_EQ(judge(departure).verdict, Verdict::OutOfMemory);
  EXPECT_EQ(judge(departure).reason, "killed by SIGKILL in slice 3-0: out of memory (cgroup limit 2GiB)");
  EXPECT_EQ(told_name(Verdict::OutOfMemory, departure.status), "out of memory");
  departure.status.out_of_memory = -1;
  EXPECT_EQ(judge(departure).reason, "killed by SIGKILL in slice 3-0, not by the host: probably out of memory");
  EXPECT_EQ(told_name(Verdict::OutOfMemory, departure.status), "probably out of memory");
  EXPECT_EQ(told_name(Verdict::Crash, departure.status), "crash");
}

TEST(ExitStatus, LeavingWhileBeingStoppedIsNotHeldAgainstIt) {
  for (const Stage stage : {Stage::SetUp, Stage::Waiting, Stage::Loading, Stage::Idle, Stage::Running})
    for (const WaitStatus status : {WaitStatus{false, 3, false}, WaitStatus{true, SIGTERM, false}}) {
      Departure departure = left(status, stage);
      departure.stopping = true;
      EXPECT_EQ(judge(departure).verdict, Verdict::Interrupted);
    }
  Departure killed = left({true, SIGKILL, false}, Stage::Running);
  killed.stopping = killed.killed_by_host = true;
  EXPECT_EQ(judge(killed).verdict, Verdict::Interrupted);
  EXPECT_EQ(judge(killed).reason, "killed at the end of its grace period");
  killed.at_once = true;
  EXPECT_EQ(judge(killed).reason, "killed, as the host stops at once");
}

TEST(ExitStatus, BeingOutOfTimeIsATimeout) {
  Departure departure = left({true, SIGKILL, false}, Stage::Running);
  departure.killed_by_host = true;
  departure.overdue = "hung: no sign of life for 30s";
  departure.place = "in slice 3-0";
  EXPECT_EQ(judge(departure).verdict, Verdict::Timeout);
  EXPECT_EQ(judge(departure).reason, "hung: no sign of life for 30s in slice 3-0");
}

TEST(ExitStatus, AVerdictReturnedBeforeTheHangStandsAndTheHangIsTold) {
  Departure departure = returned(0);
  departure.status = {true, SIGABRT, false};
  departure.overdue = "hung: no sign of life for 30s";
  EXPECT_EQ(judge(departure).verdict, Verdict::Done);
  EXPECT_EQ(judge(departure).reason, "returned 0 (HOSTLER_DONE): hung: no sign of life for 30s");
}

TEST(ExitStatus, AWorkerThatBrokeTheProtocolIsNotSaidToBeOutOfMemory) {
  Departure departure = left({true, SIGKILL, false}, Stage::Running);
  departure.broke_protocol = true;
  EXPECT_EQ(judge(departure).verdict, Verdict::Crash);
  EXPECT_EQ(judge(departure).reason, "killed by the host: broke the protocol");
  departure.stopping = true;
  EXPECT_EQ(judge(departure).verdict, Verdict::Interrupted);
}

TEST(ExitStatus, APluginThatCannotBeLoadedIsItsOwnVerdictInItsOwnWords) {
  Departure departure = left({false, 78, false}, Stage::Loading);
  departure.page.failed_before_run = 1;
  set_reason(departure.page, "plugin speaks ABI 2.0, this host 1.3");
  EXPECT_EQ(judge(departure).verdict, Verdict::LoadFailure);
  EXPECT_EQ(judge(departure).reason, "plugin speaks ABI 2.0, this host 1.3");
  departure.page.failed_before_run = 2;
  EXPECT_EQ(judge(departure).verdict, Verdict::LoadLater);
}

TEST(ExitStatus, APageOfAnotherLayoutTellsNothing) {
  Departure departure = returned(0);
  departure.page_known = false;
  EXPECT_EQ(judge(departure).verdict, Verdict::Crash);
}

TEST(ExitStatus, ThePlaceAndThePluginsWordsStandInTheReason) {
  Departure crashed = left({true, SIGSEGV, true}, Stage::Running);
  crashed.place = "in slice 3-16777216";
  EXPECT_EQ(judge(crashed).reason, "killed by SIGSEGV (core dumped) in slice 3-16777216");
  set_reason(crashed.page, "the disk is gone");
  EXPECT_EQ(judge(crashed).reason, "killed by SIGSEGV (core dumped) in slice 3-16777216: the disk is gone");
  Departure failed = returned(70);
  set_reason(failed.page, "no such column");
  EXPECT_EQ(judge(failed).reason, "returned 70 (HOSTLER_ERROR): no such column");
}

SliceEnded slice(std::int32_t value) {
  SliceEnded ended;
  ended.slice = {100, 200};
  ended.returned = value;
  return ended;
}

TEST(SliceVerdict, EveryReturnedValueFollowsTheTable) {
  for (std::int32_t value = 0; value <= 255; ++value)
    for (const bool stopping : {false, true}) {
      const Verdict wanted = value == 85 && !stopping ? Verdict::Failure : table(value);
      EXPECT_EQ(judge(slice(value), stopping).verdict, wanted) << value;
    }
}

TEST(SliceVerdict, DoneFromOneThatClaimsMeansAllClaimed) {
  SliceEnded ended = slice(0);
  ended.claimed = true;
  ended.claimed_to = 200;
  EXPECT_EQ(judge(ended, false).verdict, Verdict::Done);
  ended.claimed_to = 160;
  const Judgement judgement = judge(ended, false);
  EXPECT_EQ(judgement.verdict, Verdict::Failure);
  EXPECT_EQ(judgement.reason,
            "returned 0 (HOSTLER_DONE) but left the last 40 of 100 positions unclaimed, from position 160 on");
  EXPECT_TRUE(judge(ended, false, {}, -100).reason.ends_with("unclaimed, from position 60 on"));
}

TEST(SliceVerdict, DoneAfterARefusedClaimIsAYieldOrATimeout) {
  SliceEnded ended = slice(0);
  ended.claimed = true;
  ended.claimed_to = 160;
  ended.refused = StopWord::Cancel;
  EXPECT_EQ(judge(ended, true).verdict, Verdict::Yield);
  ended.refused = StopWord::Deadline;
  EXPECT_EQ(judge(ended, false, "out of time").verdict, Verdict::Timeout);
  EXPECT_EQ(judge(ended, false, "out of time").reason, "out of time");
  EXPECT_EQ(judge(ended, true).verdict, Verdict::Yield);  // the deadline was another slice's
  ended.claimed_to = 200;                                 // all was claimed after all
  EXPECT_EQ(judge(ended, true).verdict, Verdict::Done);
}

// It has written over its page: it would be refused again and again, and never be to blame.
TEST(SliceVerdict, ARefusedClaimThatNobodyAskedForIsAFailure) {
  SliceEnded ended = slice(0);
  ended.claimed = true;
  ended.claimed_to = 160;
  ended.refused = StopWord::Deadline;
  const Judgement judgement = judge(ended, false);
  EXPECT_EQ(judgement.verdict, Verdict::Failure);
  EXPECT_TRUE(
      judgement.reason.ends_with("from position 160 on, as a claim was refused, though nobody had asked it to stop"));
  ended.signalled = true;  // by somebody else than the host
  EXPECT_EQ(judge(ended, false).verdict, Verdict::Yield);
}

TEST(SliceVerdict, AYieldThatASignalOfSomebodyElseAskedForIsPutOff) {
  SliceEnded ended;
  ended.returned = 85;
  EXPECT_EQ(judge(ended, false).verdict, Verdict::Failure);
  ended.signalled = true;
  EXPECT_EQ(judge(ended, false).verdict, Verdict::RetryLater);
  EXPECT_EQ(judge(ended, true).verdict, Verdict::Yield);
}

TEST(SliceVerdict, AYieldThatWasAskedForByADeadlineIsATimeout) {
  EXPECT_EQ(judge(slice(85), false, "out of time").verdict, Verdict::Timeout);
  EXPECT_EQ(judge(slice(85), true, "out of time").verdict, Verdict::Timeout);
  EXPECT_EQ(judge(slice(70), false, "out of time").verdict, Verdict::Failure);
  EXPECT_EQ(judge(slice(0), false, "out of time").verdict, Verdict::Done);  // in time after all
}

TEST(SliceVerdict, AChangedInputOrAFailedWriteIsNotTheSlicesFault) {
  SliceEnded ended = slice(0);
  ended.io_failed = true;
  ended.reason = "fsync: No space left on device";
  EXPECT_EQ(judge(ended, false).verdict, Verdict::RetryLater);
  ended.no_room = true;
  EXPECT_EQ(judge(ended, false).verdict, Verdict::NoRoom);
  ended.returned = 70;
  EXPECT_EQ(judge(ended, false).verdict, Verdict::NoRoom);
  EXPECT_EQ(judge(ended, false).reason, "fsync: No space left on device");
  ended.input_changed = true;
  EXPECT_EQ(judge(ended, false).verdict, Verdict::InputChanged);
}

TEST(ExitStatus, ACrashSaysWhatWhereAndAtWhichPosition) {
  Departure departure;
  departure.status = {true, SIGSEGV, true};
  departure.page_known = true;
  departure.page.stage = static_cast<std::uint32_t>(Stage::Running);
  departure.page.at = 17;
  departure.place = "in slice 3-16777216";
  departure.crash_detail = "address 0x0";
  departure.crash_site = "wordcount.so+0x1a2f";
  EXPECT_EQ(judge(departure).reason,
            "killed by SIGSEGV (address 0x0, core dumped) in slice 3-16777216 at position 17, wordcount.so+0x1a2f");
  departure.page.at = -1;
  departure.page.claimed_from = 16;
  departure.page.claimed_to = 20;
  departure.status.core = false;
  EXPECT_EQ(judge(departure).reason,
            "killed by SIGSEGV (address 0x0) in slice 3-16777216 within positions 16-20, wordcount.so+0x1a2f");
  departure.page.claimed_from = 19;
  departure.crash_site.clear();
  EXPECT_EQ(judge(departure).reason, "killed by SIGSEGV (address 0x0) in slice 3-16777216 at position 19");
}

}  // namespace
}  // namespace hostler
