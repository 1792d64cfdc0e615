#include "edge/symboliser.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <csignal>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/exit_status.h"
#include "edge/pidfd.h"
#include "edge/spawn.h"

namespace hostler {
namespace {

constexpr Duration kTimeLimit = std::chrono::seconds(30);
constexpr std::size_t kMostAnswer = std::size_t{256} << 10;

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
  auto process = spawn_program(program_, {"hostler-symbolise", job.report}, {input.get(), output.get(), -1});
  if (!process) return tl::unexpected(process.error());
  pid_ = process->pid;
  pidfd_ = std::move(process->pidfd);
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
    if (text_.size() < kMostAnswer) text_.append(piece.data(), static_cast<std::size_t>(size));
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

Backtrace symbolise_now(const std::string &program, const CrashCapture &capture) try {
  EventLoop loop;
  Symboliser symboliser(loop, program);
  Backtrace found;
  symboliser.run(capture, {}, {}, [&](const Backtrace &backtrace) {
    found = backtrace;
    loop.stop();
  });
  loop.run();
  return found;
} catch (const std::system_error &error) {
  Backtrace nothing;
  nothing.problem = std::string("no backtrace: ") + error.what();
  return nothing;
}

}  // namespace hostler
