#include "edge/log_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <list>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/log_text.h"
#include "edge/disk_error.h"
#include "edge/event_loop.h"
#include "edge/log_file.h"

namespace hostler {
namespace {

constexpr mode_t kLogFolderMode = 0700;
constexpr std::size_t kReadOfAWorker = std::size_t{64} << 10;  // of one pipe, then it is the others' turn
constexpr std::size_t kFlushAt = std::size_t{256} << 10;       // of one file; less is written once a turn of the loop
constexpr std::int64_t kPace = std::int64_t{16} << 20;         // bytes a second that one worker may print
constexpr std::int64_t kAhead = std::int64_t{32} << 20;        // bytes that it may be ahead of that; who is, is paused
constexpr Duration kPause = std::chrono::milliseconds(32);     // and may go on after this
constexpr std::int64_t kPaceBytes = std::int64_t{512} << 10;   // for so many bytes
constexpr int kPausedAtPace = 4;                               // so many keep their pace; more share what those have
constexpr Duration kTryAgain = std::chrono::seconds(1);        // to write a file that lost lines
constexpr std::int64_t kMaxQueued = std::int64_t{4} << 20;     // bytes of the host's own lines not yet taken over

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

struct EntryFile {
  LogFile file;
  int sources = 0;
  bool touched = false;  // since the last flush
};

using EntryFiles = std::map<std::string, EntryFile>;  // by entry

// One worker's output. There are thousands of them.
struct LogSource {
  // What each of its lines begins with.
  [[nodiscard]] std::string prefix() const {
    return fmt::format("{} {}/{}[{}] ", timestamp(wall_clock()), log->first, instance, pid);
  }

  EntryFiles::iterator log;
  std::int32_t instance = 0;
  std::int32_t pid = 0;
  LineAssembler lines{};
  std::int64_t allowance = kAhead;  // bytes that may be read without a pause, as of `counted`
  TimePoint counted = EventLoop::now();
  std::shared_ptr<const UniqueFd> pipe;
  EventLoop::Watch watch{};  // behind the pipe, so it ends first
  std::optional<EventLoop::Timer> pause{};
};
using Sources = std::list<LogSource>;

enum class ReadOutcome { Read, NothingNow, Ended };

}  // namespace

// Runs on its own thread, but for post(), `queued` and `refused`.
struct LogFiles::Impl {
  Impl(std::string dir, LogFile own, bool to_stderr, const LogConfig &each)
      : logs_dir(std::move(dir)), host_file(std::move(own)), echo(to_stderr), limits(each) {}

  void add(std::shared_ptr<const UniqueFd> pipe, const std::string &entry, std::int32_t instance, std::int32_t pid);
  void watch(Sources::iterator source);
  void pause(Sources::iterator source);
  ReadOutcome read(LogSource &source);
  void end(Sources::iterator source);
  void host_line(UnixMilliseconds at, LogLevel level, std::string_view text);
  void touch(EntryFiles::iterator log);
  void flush_soon();
  void flush_touched();
  void flush(EntryFile &entry);
  void flush_host_file();
  void say_if_changed(const std::string &path, int was, int now, std::string_view good, std::string_view bad);
  void try_again_later();
  void set_limits(const LogConfig &each);
  void reopen();
  void finish();

  EventLoop loop;
  EventLoop::Timer again{loop};  // runs while a file loses lines
  bool trying_again = false;
  std::thread thread;
  std::string logs_dir;
  LogFile host_file;
  bool echo;
  LogConfig limits;
  EntryFiles files;
  std::vector<EntryFiles::iterator> touched;  // those that have something to write
  Sources sources;
  int paused = 0;  // of them
  std::array<char, kReadOfAWorker> buffer{};
  bool flush_posted = false;
  std::atomic<std::int64_t> queued{0};   // bytes of host lines on their way to the thread
  std::atomic<std::int64_t> refused{0};  // host lines for which there was no room there
};

void LogFiles::Impl::add(std::shared_ptr<const UniqueFd> pipe, const std::string &entry, std::int32_t instance,
                         std::int32_t pid) {
  const auto log =
      files.try_emplace(entry, EntryFile{LogFile(fmt::format("{}/{}.log", logs_dir, entry), limits)}).first;
  ++log->second.sources;
  watch(
      sources.insert(sources.end(), LogSource{.log = log, .instance = instance, .pid = pid, .pipe = std::move(pipe)}));
}

void LogFiles::Impl::watch(Sources::iterator source) {
  source->watch = loop.watch(source->pipe->get(), EventLoop::Ready::Read, [this, source] {
    switch (read(*source)) {
      case ReadOutcome::Read:
        if (source->allowance <= 0) pause(source);
        return;
      case ReadOutcome::NothingNow: return;
      case ReadOutcome::Ended: return end(source);
    }
  });
}

void LogFiles::Impl::pause(Sources::iterator source) {
  source->watch = EventLoop::Watch();
  ++paused;
  source->pause.emplace(loop);
  source->pause->set(EventLoop::now() + kPause * std::max(paused, kPausedAtPace) / kPausedAtPace, [this, source] {
    --paused;
    source->allowance = kPaceBytes;
    source->counted = EventLoop::now();
    watch(source);
  });
}

ReadOutcome LogFiles::Impl::read(LogSource &source) {
  const ssize_t count = ::read(source.pipe->get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return ReadOutcome::NothingNow;
  if (count <= 0) return ReadOutcome::Ended;
  const TimePoint now = EventLoop::now();
  const auto earned = static_cast<std::int64_t>(std::chrono::duration<double>(now - source.counted).count() * kPace);
  source.allowance = std::min(kAhead, source.allowance + earned) - count;
  source.counted = now;
  EntryFile &entry = source.log->second;
  const std::string prefix = source.prefix();
  source.lines.feed({buffer.data(), static_cast<std::size_t>(count)},
                    [&](std::string_view line) { entry.file.add_line(prefix, line); });
  touch(source.log);
  if (entry.file.pending_bytes() >= kFlushAt) flush(entry);
  return ReadOutcome::Read;
}

void LogFiles::Impl::end(Sources::iterator source) {
  EntryFile &entry = source->log->second;
  const std::string prefix = source->prefix();
  source->lines.finish([&](std::string_view line) { entry.file.add_line(prefix, line); });
  --entry.sources;
  touch(source->log);
  sources.erase(source);
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

void LogFiles::Impl::touch(EntryFiles::iterator log) {
  if (!std::exchange(log->second.touched, true)) touched.push_back(log);
  flush_soon();
}

void LogFiles::Impl::flush_soon() {
  if (flush_posted) return;
  flush_posted = true;
  loop.post([this] {
    flush_posted = false;
    flush_touched();
  });
}

void LogFiles::Impl::flush_touched() {
  bool losing = false;
  for (const EntryFiles::iterator log : std::exchange(touched, {})) {
    EntryFile &entry = log->second;
    entry.touched = false;
    flush(entry);
    if (entry.file.dropped() > 0) {
      losing = true;
      entry.touched = true;
      touched.push_back(log);
    } else if (entry.sources == 0) {
      files.erase(log);
    }
  }
  flush_host_file();
  if (losing || host_file.dropped() > 0) try_again_later();
}

void LogFiles::Impl::flush(EntryFile &entry) {
  LogFile &file = entry.file;
  const int error = file.error();
  const int rotation = file.rotation_error();
  file.flush();
  say_if_changed(file.path(), error, file.error(), "is written again", "loses lines");
  say_if_changed(file.path(), rotation, file.rotation_error(), "is rotated again", "is full and grows on");
}

void LogFiles::Impl::flush_host_file() {
  const int rotation = host_file.rotation_error();
  host_file.flush();
  say_if_changed(host_file.path(), rotation, host_file.rotation_error(), "is rotated again", "is full and grows on");
}

void LogFiles::Impl::say_if_changed(const std::string &path, int was, int now, std::string_view good,
                                    std::string_view bad) {
  if (now == was) return;
  if (now == 0)
    host_line(wall_clock(), LogLevel::Info, fmt::format("{} {}", path, good));
  else
    host_line(wall_clock(), LogLevel::Error, fmt::format("{} {}: {}", path, bad, error_words(now)));
}

void LogFiles::Impl::try_again_later() {
  if (std::exchange(trying_again, true)) return;
  again.set(EventLoop::now() + kTryAgain, [this] {
    trying_again = false;
    flush_touched();
  });
}

void LogFiles::Impl::set_limits(const LogConfig &each) {
  limits = each;
  host_file.set_limits(each);
  for (auto &[name, entry] : files) entry.file.set_limits(each);
}

void LogFiles::Impl::reopen() {
  flush_touched();
  ::mkdir(logs_dir.c_str(), kLogFolderMode);  // somebody may have taken it away
  host_file.reopen();
  for (auto &[name, entry] : files) entry.file.reopen();
}

void LogFiles::Impl::finish() {
  for (auto source = sources.begin(); source != sources.end();) {
    // Who has escaped us may write for ever: what the pipe holds now is enough.
    const int capacity = ::fcntl(source->pipe->get(), F_GETPIPE_SZ);
    const auto reads = static_cast<std::size_t>(std::max(capacity, 1)) / buffer.size() + 1;
    for (std::size_t i = 0; i < reads && read(*source) == ReadOutcome::Read; ++i) continue;
    end(source++);
  }
  flush_touched();
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

Result<std::unique_ptr<LogFiles>> LogFiles::open(const std::string &state_dir, bool echo, const LogConfig &limits) {
  const std::string logs_dir = state_dir + "/logs";
  if (::mkdir(logs_dir.c_str(), kLogFolderMode) != 0 && errno != EEXIST)
    return fail(logs_dir, "cannot be made: " + error_words(errno));
  LogFile host_file(state_dir + "/host.log", limits);
  if (auto opened = host_file.open(); !opened) return tl::unexpected<Error>(opened.error());
  return std::unique_ptr<LogFiles>(new LogFiles(std::make_unique<Impl>(logs_dir, std::move(host_file), echo, limits)));
}

LogFiles::~LogFiles() {
  impl_->loop.post([this] { impl_->finish(); });
  impl_->thread.join();
}

void LogFiles::add(std::shared_ptr<const UniqueFd> pipe, std::string entry, std::int32_t instance, std::int32_t pid) {
  impl_->loop.post([impl = impl_.get(), pipe = std::move(pipe), entry = std::move(entry), instance, pid] {
    impl->add(pipe, entry, instance, pid);
  });
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

void LogFiles::set_limits(const LogConfig &limits) {
  impl_->loop.post([impl = impl_.get(), limits] { impl->set_limits(limits); });
}

void LogFiles::reopen() {
  impl_->loop.post([impl = impl_.get()] { impl->reopen(); });
}

}  // namespace hostler
