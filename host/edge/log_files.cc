#include "edge/log_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <list>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "core/log_text.h"
#include "edge/event_loop.h"
#include "edge/log_file.h"

namespace hostler {
namespace {

constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;  // of one pipe, then it is the others' turn
constexpr std::size_t kFlushAt = std::size_t{256} << 10;    // of one file; less is written once a turn of the loop
constexpr int kLastReads = 16;                              // of one pipe at the end: a pipe holds at most 1 MiB
constexpr std::int64_t kMaxQueued = std::int64_t{4} << 20;  // bytes of the host's own lines not yet taken over

UnixMilliseconds wall_clock() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::string_view word(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return "DEBUG";
    case LogLevel::Info: return "INFO";
    case LogLevel::Warning: return "WARNING";
    case LogLevel::Error: return "ERROR";
  }
  return "";
}

// Only what the terminal or pipe takes at once: a stopped terminal must not stop the workers' lines.
void write_to_stderr(const std::string &line) {
  pollfd stream{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&stream, 1, 0) != 1 || (stream.revents & POLLOUT) == 0) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

// One worker's output.
struct Source {
  std::string entry;
  std::string label;  // " ENTRY/INSTANCE[PID] "
  LineAssembler lines;
  UniqueFd pipe;
  EventLoop::Watch watch;  // behind the pipe, so it ends first
};
using Sources = std::list<Source>;

struct EntryFile {
  LogFile file;
  int sources = 0;
};

enum class ReadOutcome { Read, NothingNow, Ended };

}  // namespace

// Runs on its own thread, but for post(), `queued` and `refused`.
struct LogFiles::Impl {
  Impl(std::string dir, LogFile own, bool to_stderr)
      : logs_dir(std::move(dir)), host_file(std::move(own)), echo(to_stderr) {}

  void add(UniqueFd pipe, const std::string &entry, std::int32_t instance, std::int32_t pid);
  ReadOutcome read(Source &source);
  void end(Sources::iterator source);
  void host_line(UnixMilliseconds at, LogLevel level, std::string_view text);
  void flush_soon();
  void flush_all();
  void flush(EntryFile &entry);
  void finish();

  EventLoop loop;
  std::thread thread;
  std::string logs_dir;
  LogFile host_file;
  bool echo;
  std::map<std::string, EntryFile> files;  // by entry
  Sources sources;
  std::array<char, kReadAtOnce> buffer{};
  bool flush_posted = false;
  std::atomic<std::int64_t> queued{0};   // bytes of host lines on their way to the thread
  std::atomic<std::int64_t> refused{0};  // host lines for which there was no room there
};

void LogFiles::Impl::add(UniqueFd pipe, const std::string &entry, std::int32_t instance, std::int32_t pid) {
  const int fd = pipe.get();
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  const auto source = sources.insert(
      sources.end(), Source{entry, fmt::format(" {}/{}[{}] ", entry, instance, pid), {}, std::move(pipe), {}});
  ++files.try_emplace(entry, EntryFile{LogFile(logs_dir + "/" + entry + ".log")}).first->second.sources;
  source->watch = loop.watch(fd, EventLoop::Ready::Read, [this, source] {
    if (read(*source) == ReadOutcome::Ended) end(source);
  });
}

ReadOutcome LogFiles::Impl::read(Source &source) {
  const ssize_t count = ::read(source.pipe.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return ReadOutcome::NothingNow;
  if (count <= 0) return ReadOutcome::Ended;
  EntryFile &entry = files.at(source.entry);
  const std::string prefix = timestamp(wall_clock()) + source.label;
  source.lines.feed({buffer.data(), static_cast<std::size_t>(count)},
                    [&](std::string_view line) { entry.file.add_line(prefix, line); });
  if (entry.file.pending_bytes() >= kFlushAt) flush(entry);
  flush_soon();
  return ReadOutcome::Read;
}

void LogFiles::Impl::end(Sources::iterator source) {
  const auto entry = files.find(source->entry);
  const std::string prefix = timestamp(wall_clock()) + source->label;
  source->lines.finish([&](std::string_view line) { entry->second.file.add_line(prefix, line); });
  sources.erase(source);
  --entry->second.sources;
  flush_soon();
}

void LogFiles::Impl::host_line(UnixMilliseconds at, LogLevel level, std::string_view text) {
  const std::string prefix = fmt::format("{} {} ", timestamp(at), word(level));
  for (std::size_t begin = 0; begin <= text.size();) {  // a text of several lines is several lines of the log
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    host_file.add_line(prefix, line);
    if (echo) write_to_stderr(fmt::format("{}{}\n", prefix, line));
    begin = end + 1;
  }
  flush_soon();
}

void LogFiles::Impl::flush_soon() {
  if (flush_posted) return;
  flush_posted = true;
  loop.post([this] {
    flush_posted = false;
    flush_all();
  });
}

void LogFiles::Impl::flush_all() {
  for (auto entry = files.begin(); entry != files.end();) {
    flush(entry->second);
    const bool unused = entry->second.sources == 0 && entry->second.file.dropped() == 0;
    entry = unused ? files.erase(entry) : std::next(entry);
  }
  host_file.flush();
}

void LogFiles::Impl::flush(EntryFile &entry) {
  const int was = entry.file.error();
  entry.file.flush();
  const int now = entry.file.error();
  if (now == was) return;
  const std::string words = now == 0 ? "is written again" : "loses lines: " + std::generic_category().message(now);
  host_line(wall_clock(), now == 0 ? LogLevel::Info : LogLevel::Error, entry.file.path() + " " + words);
}

void LogFiles::Impl::finish() {
  for (auto source = sources.begin(); source != sources.end();) {
    for (int reads = 0; reads < kLastReads && read(*source) == ReadOutcome::Read; ++reads) continue;
    end(source++);
  }
  flush_all();
  loop.stop();
}

LogFiles::LogFiles(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  // Signals are for the host's main thread: a thread inherits the mask that it is started with.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "hostler-logs");
    impl_->loop.run();
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Result<std::unique_ptr<LogFiles>> LogFiles::open(const std::string &state_dir, bool echo) {
  const std::string logs_dir = state_dir + "/logs";
  if (::mkdir(logs_dir.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(logs_dir, "cannot be made: " + std::generic_category().message(errno));
  LogFile host_file(state_dir + "/host.log");
  if (auto opened = host_file.open(); !opened) return tl::unexpected<Error>(opened.error());
  return std::unique_ptr<LogFiles>(new LogFiles(std::make_unique<Impl>(logs_dir, std::move(host_file), echo)));
}

LogFiles::~LogFiles() {
  impl_->loop.post([this] { impl_->finish(); });
  impl_->thread.join();
}

void LogFiles::add(UniqueFd pipe, std::string entry, std::int32_t instance, std::int32_t pid) {
  // shared_ptr because a std::function must be copyable.
  impl_->loop.post([impl = impl_.get(), pipe = std::make_shared<UniqueFd>(std::move(pipe)), entry = std::move(entry),
                    instance, pid] { impl->add(std::move(*pipe), entry, instance, pid); });
}

void LogFiles::host(LogLevel level, std::string text) {
  const auto size = static_cast<std::int64_t>(text.size()) + 256;
  if (impl_->queued.fetch_add(size) > kMaxQueued) {  // the disk stands still: rather lose lines than memory
    impl_->queued -= size;
    ++impl_->refused;
    return;
  }
  impl_->loop.post([impl = impl_.get(), at = wall_clock(), level, text = std::move(text), size] {
    impl->queued -= size;
    const std::int64_t lost = impl->refused.exchange(0);
    if (lost > 0)
      impl->host_line(at, LogLevel::Error, fmt::format("{} lines of this log were lost: too many at once", lost));
    impl->host_line(at, level, text);
  });
}

void LogFiles::reopen() {
  impl_->loop.post([impl = impl_.get()] {
    impl->flush_all();
    impl->host_file.reopen();
    for (auto &[name, entry] : impl->files) entry.file.reopen();
  });
}

}  // namespace hostler
