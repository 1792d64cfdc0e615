#include "core/crash.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <vector>

namespace hostler {
namespace {

constexpr std::string_view kModules =
    "1000-2000 r--p 00000000 fd:01 17    /lib/libc.so.6\n"
    "2000-4000 r-xp 00001000 fd:01 17    /lib/libc.so.6\n"
    "8000-9000 r--p 00000000 fd:01 18    /store/ab/word count.so\n"
    "9000-a000 r-xp 00001000 fd:01 18    /store/ab/word count.so\n"
    "c000-d000 r-xp 00000000 00:00 0 \n";

CrashCapture capture(int signal, std::uint64_t pc) {
  CrashCapture capture;
  capture.note.layout = kPageLayout;
  capture.note.signal = signal;
  capture.note.code = 1;
  capture.note.address = 0x10;
  capture.note.sp = 0x7ffc0000;
  capture.note.pc = pc;
  capture.note.tid = 77;
  capture.note.main_thread = 1;
  capture.modules = kModules;
  capture.note.modules_size = static_cast<std::uint32_t>(kModules.size());
  return capture;
}

TEST(ParseMapping, ReadsALineOfTheKernels) {
  const auto mapping = parse_mapping("7f0c1000-7f0c2000 r-xp 00003000 fd:01 1234                       /a b/c.so");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->begin, 0x7f0c1000U);
  EXPECT_EQ(mapping->end, 0x7f0c2000U);
  EXPECT_EQ(mapping->offset, 0x3000U);
  EXPECT_TRUE(mapping->readable);
  EXPECT_FALSE(mapping->writable);
  EXPECT_TRUE(mapping->executable);
  EXPECT_EQ(mapping->path, "/a b/c.so");
  EXPECT_EQ(parse_mapping("1-2 rw-p 0 00:00 0 ")->path, "");
  EXPECT_EQ(parse_mapping("1-2 rw-p 0 00:00 0      [stack]")->path, "[stack]");
}

TEST(ParseMapping, RefusesWhatIsNoLine) {
  for (const char *line :
       {"", "-", "1-", "1-2", "1-2 r", "1-2 r-xp", "1-2 r-xp ", "x-2 r-xp 0 00:00 0", "1 2 r-xp 0 a"})
    EXPECT_FALSE(parse_mapping(line)) << line;
}

TEST(FindCode, CountsFromTheBeginningOfTheFile) {
  const CodePlace place = find_code(kModules, 0x9123);
  EXPECT_TRUE(place.is_code);
  EXPECT_EQ(place.path, "/store/ab/word count.so");
  EXPECT_EQ(place.offset, 0x1123U);
  EXPECT_EQ(place_words(place, 0x9123), "word count.so+0x1123");
}

TEST(FindCode, TellsNoCodeFromCodeOfNoFile) {
  EXPECT_EQ(place_words(find_code(kModules, 0x8000), 0x8000), "0x8000 (no code there)");
  EXPECT_EQ(place_words(find_code(kModules, 0xc010), 0xc010), "0xc010 (code of no file)");
  EXPECT_EQ(place_words(find_code("rubbish\n\n1-2", 1), 1), "0x1 (no code there)");
}

TEST(Understand, SaysWhereTheFaultWas) {
  const Crash crash = understand(capture(SIGSEGV, 0x2008));
  EXPECT_EQ(crash.detail, "address 0x10");
  EXPECT_EQ(crash.site, "libc.so.6+0x1008");
  EXPECT_EQ(signal_words(crash), "SIGSEGV, address not mapped, address 0x10");
  EXPECT_EQ(thread_words(crash), "thread 77 (the main one)");
}

TEST(Understand, NamesAnOverflowOfTheStack) {
  CrashCapture overflow = capture(SIGSEGV, 0x9000);
  overflow.note.address = overflow.note.sp - 8;
  EXPECT_EQ(understand(overflow).detail, "stack overflow at 0x7ffbfff8");
}

TEST(Understand, TellsWhoSentASignalInsteadOfAnAddress) {
  CrashCapture sent = capture(SIGABRT, 0x9000);
  sent.note.code = 0;
  sent.note.sender = 5;
  EXPECT_EQ(understand(sent).detail, "");
  EXPECT_EQ(signal_words(understand(sent)), "SIGABRT, sent by process 5");
}

TEST(Understand, ShowsWhatTheWorkerWroteWithoutItsControlCharacters) {
  CrashCapture thrown = capture(SIGABRT, 0x9000);
  std::memcpy(thrown.note.exception.data(), "uncaught a\nb", 12);
  thrown.note.exception_size = 12;
  thrown.note.main_thread = 0;
  thrown.note.thread.fill('\x1b');
  EXPECT_EQ(understand(thrown).detail, "uncaught a?b");
  EXPECT_EQ(thread_words(understand(thrown)), "thread 77 \"????????????????\"");
}

// A stack of these words, on which `capture` crashed.
CrashCapture with_stack(CrashCapture capture, const std::vector<std::uint64_t> &words) {
  capture.stack.assign(words.size() * sizeof(std::uint64_t), '\0');
  std::memcpy(capture.stack.data(), words.data(), capture.stack.size());
  return capture;
}

TEST(CrashKey, IsTheSameWhereverTheKernelHasPutTheFiles) {
  const CrashCapture here = with_stack(capture(SIGABRT, 0x2008), {7, 0x9123, 0x7ffc0010});
  CrashCapture there = with_stack(capture(SIGABRT, 0x12008), {9, 0x29123, 0x7ffd0010});
  there.modules =
      "11000-12000 r--p 00000000 fd:01 17    /lib/libc.so.6\n"
      "12000-14000 r-xp 00001000 fd:01 17    /lib/libc.so.6\n"
      "28000-29000 r--p 00000000 fd:01 18    /store/ab/word count.so\n"
      "29000-2a000 r-xp 00001000 fd:01 18    /store/ab/word count.so\n"
      "30000-31000 r--p 00000000 fd:01 19    /data/a.txt\n";
  EXPECT_EQ(crash_key(here), crash_key(there));
}

TEST(CrashKey, TellsSignalsPlacesCallersAndBuildsApart) {
  const std::string key = crash_key(with_stack(capture(SIGABRT, 0x2008), {0x9123}));
  EXPECT_NE(key, crash_key(with_stack(capture(SIGSEGV, 0x2008), {0x9123})));
  EXPECT_NE(key, crash_key(with_stack(capture(SIGABRT, 0x2010), {0x9123})));
  EXPECT_NE(key, crash_key(with_stack(capture(SIGABRT, 0x2008), {0x9124})));
  CrashCapture other = with_stack(capture(SIGABRT, 0x2008), {0x9123});
  for (std::size_t at = 0; (at = other.modules.find("/ab/", at)) != std::string::npos;) other.modules[at + 1] = 'c';
  EXPECT_NE(key, crash_key(other));
}

TEST(CrashKey, HasNoNeedOfAStackOrOfCode) {
  EXPECT_EQ(crash_key(capture(SIGSEGV, 1)), crash_key(capture(SIGSEGV, 2)));
  EXPECT_NE(crash_key(capture(SIGSEGV, 1)), crash_key(with_stack(capture(SIGSEGV, 1), {0x9123})));
  EXPECT_NE(crash_key(CrashCapture{}), "");
}

TEST(SoundNote, IsOfThisLayoutAndThisSignal) {
  const CrashNote note = capture(SIGSEGV, 0).note;
  EXPECT_TRUE(sound_note(note, SIGSEGV));
  EXPECT_FALSE(sound_note(note, SIGABRT));
  EXPECT_FALSE(sound_note(CrashNote{}, 0));
}

TEST(SoundNote, BoundsEverySize) {
  CrashNote note = capture(SIGSEGV, 0).note;
  note.stack_size = note.modules_size = note.register_count = note.exception_size = 0xffffffff;
  const auto sound = sound_note(note, SIGSEGV);
  ASSERT_TRUE(sound);
  EXPECT_EQ(sound->stack_size, kCrashStackRoom);
  EXPECT_EQ(sound->modules_size, kCrashModulesRoom);
  EXPECT_EQ(sound->register_count, kMostRegisters);
  EXPECT_EQ(sound->exception_size, sound->exception.size());
}

TEST(PackedCrash, RoundTripsAndIsRefusedWhenItIsNotWhole) {
  CrashCapture before = capture(SIGSEGV, 0x9000);
  before.stack = std::string("\0\1\2\3", 4);
  before.note.stack_size = 4;
  const std::string packed = pack(before);
  const auto after = unpack(packed);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->stack, before.stack);
  EXPECT_EQ(after->modules, before.modules);
  EXPECT_EQ(after->note.pc, 0x9000U);
  for (std::size_t size = 0; size < packed.size(); size += 64) EXPECT_FALSE(unpack(packed.substr(0, size)));
  EXPECT_FALSE(unpack(packed + "x"));
}

}  // namespace
}  // namespace hostler
