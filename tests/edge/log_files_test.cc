#include "edge/log_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
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

#include "edge/log_file.h"
#include "temp_dir.h"

namespace hostler {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
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

std::vector<std::string> lines_of(const std::string &path) {
  std::istringstream text(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
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

TEST(LogFiles, FolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  const auto logs = LogFiles::open("/proc/nowhere", false);
  ASSERT_FALSE(logs);
  EXPECT_EQ(logs.error().where, "/proc/nowhere/logs");
}

// A full disk, by way of the limit on the size of files.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk &) = delete;
  FullDisk &operator=(const FullDisk &) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

TEST(LogFile, WhatAFullDiskLosesIsCountedAndSaidLater) {
  const TempDir dir;
  LogFile file(dir.path("a.log"));
  {
    const FullDisk full(10);
    file.add_line("", "123456");
    file.add_line("", "abcdef");  // cut after "abc"
    file.add_line("", "lost");
    file.flush();
    EXPECT_EQ(file.dropped(), 2);
    file.add_line("", "lost too");
    file.flush();
    EXPECT_EQ(file.dropped(), 3);
    EXPECT_EQ(file.error(), EFBIG);
  }
  file.add_line("", "again");
  file.flush();
  EXPECT_EQ(file.dropped(), 0);
  EXPECT_EQ(file.error(), 0);
  const auto lines = lines_of(dir.path("a.log"));
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], "123456");
  EXPECT_EQ(lines[1], "abc");
  EXPECT_NE(lines[2].find("3 lines were dropped: File too large"), std::string::npos) << lines[2];
  EXPECT_EQ(lines[3], "again");
}

}  // namespace
}  // namespace hostler
