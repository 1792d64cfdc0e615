#include "edge/symboliser.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "core/exit_status.h"
#include "edge/pidfd.h"

namespace hostler {
namespace {

constexpr Duration kTimeLimit = std::chrono::seconds(30);
constexpr std::size_t kMostText = std::size_t{256} << 10;

// posix_spawn's two objects, destroyed with their block.
struct SpawnSettings {
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  SpawnSettings(const SpawnSettings &) = delete;
  SpawnSettings &operator=(const SpawnSettings &) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// A group of its own, default signals, and nothing of the host's but these two descriptors.
void prepare(SpawnSettings &settings, int input, int output) {
  ::posix_spawn_file_actions_adddup2(&settings.actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&settings.actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&settings.actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addclosefrom_np(&settings.actions, STDERR_FILENO + 1);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&settings.attributes, &none);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
  ::posix_spawnattr_setpgroup(&settings.attributes, 0);
  ::posix_spawnattr_setflags(&settings.attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

// A file that nobody else sees, to be read from its beginning; not valid, with errno set, when there is no room for it.
UniqueFd file_of(const std::string &text) {
  UniqueFd file(::memfd_create("crash", MFD_CLOEXEC));
  if (!file) return file;
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0)
    return UniqueFd();
  return file;
}

bool can_run(const std::string &path) {
  return ::access(path.c_str(), X_OK) == 0;
}

Backtrace nothing(std::string why) {
  Backtrace backtrace;
  backtrace.problem = std::move(why);
  return backtrace;
}

}  // namespace

std::string find_symboliser(const std::string &host_binary) {
  char *resolved = ::realpath(host_binary.c_str(), nullptr);
  if (resolved == nullptr) return {};
  const std::string binary = resolved;
  std::free(resolved);
  const std::string folder = binary.substr(0, binary.rfind('/') + 1);
  for (const char *place : {"", HOSTLER_LIBEXEC_FROM_BIN "/"})
    if (std::string path = folder + place + "hostler-symbolise"; can_run(path)) return path;
  return {};
}

Symboliser::Symboliser(EventLoop &loop, std::string program)
    : loop_(loop), program_(std::move(program)), limit_(loop), soon_(loop) {}

Symboliser::~Symboliser() {
  if (!pidfd_) return;
  send_signal(pidfd_, SIGKILL);
  (void)wait_for_death(pidfd_, std::chrono::seconds(10));
  (void)reap(pidfd_);
}

void Symboliser::run(const CrashCapture &capture, const std::string &words, const std::string &report, Done done) {
  const std::string packed = pack(capture);
  Job job{fmt::format("{}\n", packed.size()) + packed + words, report, std::move(done)};
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) soon_.set(EventLoop::now(), [this] { begin_next(); });
}

void Symboliser::begin_next() {
  if (jobs_.empty()) return;
  if (program_.empty()) return finish(nothing("no backtrace: hostler-symbolise is not installed beside hostler"));
  if (auto spawned = spawn(jobs_.front()); !spawned) finish(nothing("no backtrace: " + spawned.error().text()));
}

Result<void> Symboliser::spawn(const Job &job) {
  const UniqueFd input = file_of(job.input);
  if (!input) return fail({}, fmt::format("no memory for the crash: {}", std::strerror(errno)));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail({}, std::strerror(errno));
  output_.reset(ends[0]);
  const UniqueFd output(ends[1]);
  SpawnSettings settings;
  prepare(settings, input.get(), output.get());
  std::string name = "hostler-symbolise";
  std::string report = job.report;
  const std::array<char *, 3> argv{name.data(), report.data(), nullptr};
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, program_.c_str(), &settings.actions, &settings.attributes, argv.data(), environ);
  if (error != 0) return fail(program_, std::strerror(error));
  pidfd_ = open_pidfd(pid);
  if (!pidfd_) {
    const int no_pidfd = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail({}, std::strerror(no_pidfd));
  }
  pid_ = pid;
  text_.clear();
  timed_out_ = false;
  output_watch_ = loop_.watch(output_.get(), EventLoop::Ready::Read, [this] { on_output(); });
  death_watch_ = loop_.watch(pidfd_.get(), EventLoop::Ready::Read, [this] { on_death(); });
  limit_.set(EventLoop::now() + kTimeLimit, [this] {
    timed_out_ = true;
    send_signal(pidfd_, SIGKILL);
  });
  return {};
}

void Symboliser::on_output() {
  std::array<char, 16384> piece;
  while (true) {
    const ssize_t size = ::read(output_.get(), piece.data(), piece.size());
    if (size < 0) return;
    if (size == 0) {
      output_watch_ = {};
      return;
    }
    if (text_.size() < kMostText) text_.append(piece.data(), static_cast<std::size_t>(size));
  }
}

void Symboliser::on_death() {
  on_output();
  output_watch_ = {};
  death_watch_ = {};
  limit_.cancel();
  const WaitStatus status = reap(pidfd_).value_or(WaitStatus{});
  pidfd_.reset();
  pid_ = 0;
  output_.reset();
  Backtrace backtrace = decode_backtrace(text_);
  if (timed_out_)
    backtrace.problem = "no backtrace: hostler-symbolise did not come to its end in time";
  else if (status != WaitStatus{})
    backtrace.problem = "no backtrace: hostler-symbolise " + words(status);
  finish(backtrace);
}

void Symboliser::finish(const Backtrace &backtrace) {
  const Done done = std::move(jobs_.front().done);
  jobs_.pop_front();
  if (!jobs_.empty()) soon_.set(EventLoop::now(), [this] { begin_next(); });
  done(backtrace);
}

Backtrace symbolise_now(const std::string &program, const CrashCapture &capture) {
  EventLoop loop;
  Symboliser symboliser(loop, program);
  Backtrace found;
  symboliser.run(capture, {}, {}, [&](const Backtrace &backtrace) {
    found = backtrace;
    loop.stop();
  });
  loop.run();
  return found;
}

}  // namespace hostler
