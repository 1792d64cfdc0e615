#include "edge/log_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "edge/log_reader.h"
#include "edge/log_text_files.h"
#include "edge/temp_dir.h"

namespace hostler {
namespace {

struct Pipe {
  std::shared_ptr<UniqueFd> read;  // as a log shares it
  UniqueFd write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  return {std::make_shared<UniqueFd>(ends[0]), UniqueFd(ends[1])};
}

void write_text(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    ASSERT_GT(count, 0);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::unique_ptr<LogFiles> open_logs(const TempDir &dir) {
  auto logs = LogFiles::open(dir.path(), false);
  EXPECT_TRUE(logs) << logs.error().text();
  return std::move(*logs);
}

TEST(LogFiles, LineHasTimeEntryInstanceAndPid) {
  const TempDir dir;
  {
    const auto logs = open_logs(dir);
    auto pipe = make_pipe();
    logs->add(std::move(pipe.read), "words", 3, 4711);
    write_text(pipe.write.get(), "hello\nno newline");
  }
  const auto lines = lines_of(dir.path("logs/words.log"));
  ASSERT_EQ(lines.size(), 2U);
  const std::string prefix = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z words/3\[4711\] )";
  EXPECT_TRUE(std::regex_match(lines[0], std::regex(prefix + "hello"))) << lines[0];
  EXPECT_TRUE(std::regex_match(lines[1], std::regex(prefix + "no newline"))) << lines[1];
}

TEST(LogFiles, FileAppearsWithTheFirstLine) {
  const TempDir dir;
  {
    const auto logs = open_logs(dir);
    auto pipe = make_pipe();
    logs->add(std::move(pipe.read), "quiet", 0, 1);
  }
  EXPECT_TRUE(std::filesystem::is_directory(dir.path("logs")));
  EXPECT_FALSE(std::filesystem::exists(dir.path("logs/quiet.log")));
}

TEST(LogFiles, LinesOfManyWorkersAreNeitherTornNorMixedNorLost) {
  constexpr int kWorkers = 8;
  constexpr int kLines = 4000;
  const TempDir dir;
  {
    const auto logs = open_logs(dir);
    std::vector<std::thread> workers;
    for (int i = 0; i < kWorkers; ++i) {
      auto pipe = make_pipe();
      logs->add(std::move(pipe.read), "chatty", i, 100 + i);
      workers.emplace_back([i, fd = std::make_shared<UniqueFd>(std::move(pipe.write))] {
        std::string text;
        for (int line = 0; line < kLines; ++line)
          text += fmt::format("{} {} {}\n", i, line, std::string(line % 97, 'x'));
        // Odd pieces, so that lines are split between reads.
        for (std::size_t at = 0; at < text.size(); at += 1009)
          write_text(fd->get(), std::string_view(text).substr(at, 1009));
      });
    }
    for (auto &worker : workers) worker.join();
  }
  std::map<std::string, int> next;  // by label
  for (const auto &line : lines_of(dir.path("logs/chatty.log"))) {
    std::istringstream words(line);
    std::string stamp, label, filler;
    int worker = 0, number = 0;
    ASSERT_TRUE(words >> stamp >> label >> worker >> number) << line;
    words >> filler;
    ASSERT_EQ(label, fmt::format("chatty/{}[{}]", worker, 100 + worker));
    ASSERT_EQ(filler, std::string(number % 97, 'x'));
    ASSERT_EQ(number, next[label]++) << label;
  }
  ASSERT_EQ(next.size(), static_cast<std::size_t>(kWorkers));
  for (const auto &[label, count] : next) EXPECT_EQ(count, kLines) << label;
}

TEST(LogFiles, WorkersEndOfThePipeStaysBlocking) {
  const TempDir dir;
  auto pipe = make_pipe();
  {
    const auto logs = open_logs(dir);
    logs->add(std::move(pipe.read), "a", 0, 1);
  }
  EXPECT_EQ(::fcntl(pipe.write.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(LogFiles, HostLineHasALevelAndATextOfSeveralLinesIsSeveralLines) {
  const TempDir dir;
  {
    const auto logs = open_logs(dir);
    logs->host(LogLevel::Warning, "one\ntwo");
    logs->host(LogLevel::Error, "three");
  }
  const auto lines = lines_of(dir.path("host.log"));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_TRUE(std::regex_match(lines[0], std::regex(R"(\S+Z WARNING one)"))) << lines[0];
  EXPECT_TRUE(std::regex_match(lines[1], std::regex(R"(\S+Z WARNING two)"))) << lines[1];
  EXPECT_TRUE(std::regex_match(lines[2], std::regex(R"(\S+Z ERROR three)"))) << lines[2];
}

TEST(LogFiles, ReopenMakesTheFilesAnewBeforeThereIsALineForThem) {
  const TempDir dir;
  {
    const auto logs = open_logs(dir);
    auto pipe = make_pipe();
    logs->add(std::move(pipe.read), "a", 0, 1);
    write_text(pipe.write.get(), "x\n");
    while (!std::filesystem::exists(dir.path("logs/a.log"))) std::this_thread::yield();
    std::filesystem::remove(dir.path("logs/a.log"));
    std::filesystem::remove(dir.path("host.log"));
    logs->reopen();
  }
  EXPECT_TRUE(std::filesystem::exists(dir.path("logs/a.log")));
  EXPECT_TRUE(std::filesystem::exists(dir.path("host.log")));
}

TEST(LogFiles, RenamedFileIsLeftAloneAfterReopen) {
  const TempDir dir;
  {
    const auto logs = open_logs(dir);
    std::filesystem::rename(dir.path("host.log"), dir.path("host.log.1"));
    logs->host(LogLevel::Info, "before");
    logs->reopen();
    logs->host(LogLevel::Info, "after");
  }
  EXPECT_NE(read_file(dir.path("host.log.1")).find("before"), std::string::npos);
  EXPECT_EQ(read_file(dir.path("host.log.1")).find("after"), std::string::npos);
  EXPECT_NE(read_file(dir.path("host.log")).find("after"), std::string::npos);
}

TEST(LogFiles, LogThatCannotBeWrittenIsReportedAndWorkersGoOn) {
  const TempDir dir;
  std::filesystem::create_directories(dir.path("logs/broken.log"));  // a folder in the file's place
  {
    const auto logs = open_logs(dir);
    auto pipe = make_pipe();
    logs->add(std::move(pipe.read), "broken", 0, 1);
    for (int i = 0; i < 100; ++i)
      write_text(pipe.write.get(), std::string(10000, 'x') + "\n");  // more than a pipe holds
  }
  const std::string text = read_file(dir.path("host.log"));
  EXPECT_NE(text.find("ERROR " + dir.path("logs/broken.log") + " loses lines: Is a directory"), std::string::npos)
      << text;
}

TEST(LogFiles, EverythingInThePipeOfAWorkerThatIsGoneIsWritten) {
  const TempDir dir;
  std::size_t wanted = 0;
  {
    const auto logs = open_logs(dir);
    auto pipe = make_pipe();
    ASSERT_GT(::fcntl(pipe.write.get(), F_SETPIPE_SZ, 1 << 20), 0);
    ::fcntl(pipe.write.get(), F_SETFL, O_NONBLOCK);
    for (; ::write(pipe.write.get(), "0123456789abcdef\n", 17) == 17; ++wanted) continue;
    pipe.write.reset();
    logs->add(std::move(pipe.read), "killed", 0, 1);
  }
  EXPECT_GT(wanted, 60000U);
  EXPECT_EQ(lines_of(dir.path("logs/killed.log")).size(), wanted);
}

TEST(LogFiles, WhoHoldsAPipeAndWritesForEverDoesNotKeepTheHost) {
  const TempDir dir;
  auto pipe = make_pipe();
  std::thread escaped;
  {
    const auto logs = open_logs(dir);
    logs->add(std::move(pipe.read), "escaped", 0, 1);
    escaped = std::thread([fd = pipe.write.get()] {
      sigset_t broken_pipe;
      ::sigemptyset(&broken_pipe);
      ::sigaddset(&broken_pipe, SIGPIPE);
      ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
      while (::write(fd, "still here\n", 11) == 11) continue;
    });
  }
  escaped.join();
  for (const auto &line : all_lines_of(dir.path("logs/escaped.log")))
    ASSERT_TRUE(line.ends_with(" still here")) << line;
}

TEST(LogFiles, LinesAreWholeAndCompleteAcrossRotationWhileTheyAreFollowed) {
  constexpr int kWorkers = 4;
  constexpr int kLines = 20000;
  const TempDir dir;
  std::vector<std::string> followed;
  {
    const auto logs = *LogFiles::open(dir.path(), false, {std::int64_t{64} << 10, 1000});
    std::vector<std::thread> workers;
    for (int i = 0; i < kWorkers; ++i) {
      auto pipe = make_pipe();
      logs->add(std::move(pipe.read), "chatty", i, 100 + i);
      workers.emplace_back([i, fd = std::make_shared<UniqueFd>(std::move(pipe.write))] {
        for (int line = 0; line < kLines; ++line)
          write_text(fd->get(), fmt::format("{} {} {}\n", i, line, std::string(line % 97, 'x')));
      });
    }
    auto reader = LogReader::open(dir.path("logs"), {"chatty", {}}).value();
    const auto read = [&] {
      reader.read([&](std::string_view line) { followed.emplace_back(line); });
      return followed.size();
    };
    while (read() < std::size_t{kWorkers} * kLines) {
      pollfd more{reader.changes_fd(), POLLIN, 0};
      ASSERT_EQ(::poll(&more, 1, 60'000), 1) << "nothing new after " << followed.size() << " lines";
    }
    EXPECT_EQ(reader.gaps(), 0);
    for (auto &worker : workers) worker.join();
  }
  EXPECT_TRUE(std::filesystem::exists(dir.path("logs/chatty.log.50")));
  EXPECT_EQ(all_lines_of(dir.path("logs/chatty.log")), followed);
  std::map<int, int> next;  // by worker
  for (const auto &line : followed) {
    std::istringstream words(line);
    std::string stamp, label, filler;
    int worker = 0, number = 0;
    ASSERT_TRUE(words >> stamp >> label >> worker >> number) << line;
    words >> filler;
    ASSERT_EQ(filler, std::string(number % 97, 'x')) << line;
    ASSERT_EQ(number, next[worker]++) << line;
  }
}

TEST(LogFiles, NewLimitsHoldFromTheNextLineOn) {
  const TempDir dir;
  {
    const auto logs = open_logs(dir);
    const std::string text(3000, 'x');
    for (int i = 0; i < 3; ++i) logs->host(LogLevel::Info, text);
    logs->set_limits({4096, 1});
    for (int i = 0; i < 3; ++i) logs->host(LogLevel::Info, text);
  }
  EXPECT_EQ(lines_of(dir.path("host.log")).size(), 1U);
  EXPECT_EQ(lines_of(dir.path("host.log.1")).size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(dir.path("host.log.2")));
}

TEST(LogFiles, FolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  const auto logs = LogFiles::open("/proc/nowhere", false);
  ASSERT_FALSE(logs);
  EXPECT_EQ(logs.error().where, "/proc/nowhere/logs");
}

}  // namespace
}  // namespace hostler
