#include "worker/runtime.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <type_traits>
#include <utility>

#include "worker/runtime_calls.h"

namespace hostler {
namespace {

static_assert(sizeof(Claims) <= SharedPage::kOwnRoom && std::is_trivially_destructible_v<Claims>);

constexpr auto kCancel = static_cast<std::uint32_t>(StopWord::Cancel);

}  // namespace

constinit Runtime *the_runtime = nullptr;

Runtime::Runtime(const SharedPage &page, Channel &channel, const Start &start)
    : page_(page),
      claims_(*new (SharedPage::own_room()) Claims),
      channel_(channel),
      start_(start),
      files_(start.attempts_dir) {
  host_.value = host_table();
  slice_.value.struct_size = sizeof(hostler_slice_t);
  slice_.value.worker = start_.name.c_str();
  slice_.value.job_id = start_.job_id.c_str();
  slice_.value.host = &host_.value;
  the_runtime = this;
}

Runtime::~Runtime() {
  the_runtime = nullptr;
  if (const int fd = stop_fd_.load(); fd >= 0) ::close(fd);
}

void Runtime::catch_stop_signal(int signal, bool restart_calls) {
  struct sigaction action {};
  action.sa_handler = &Runtime::on_stop_signal;
  action.sa_flags = SA_ONSTACK | (restart_calls ? SA_RESTART : 0);
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

void Runtime::on_stop_signal(int) {
  Runtime *runtime = the_runtime;
  if (runtime == nullptr || !runtime->page_.is_mine()) return;
  const int saved = errno;
  // Sent by the host, its word stands in the page already; sent by someone else, it means leave.
  runtime->own_stop_.store(std::max(runtime->page_.stop(), kCancel), std::memory_order_relaxed);
  runtime->wake_stop_fd();
  errno = saved;
}

void Runtime::wake_stop_fd() const {
  const int fd = stop_fd_.load();
  const std::uint64_t one = 1;
  if (fd >= 0 && ::write(fd, &one, sizeof one) < 0) return;  // full: it is readable already
}

std::uint32_t Runtime::stop_word() const {
  return std::max(page_.stop(), own_stop_.load(std::memory_order_relaxed));
}

// The message is the cut. One that does not arrive is no cut: what the worker tells next does not arrive either, and then
// it leaves without a verdict.
void Runtime::tell(const LeaseCut &cut) {
  (void)channel_.send(cut);
}

const hostler_slice_t *Runtime::enter(Inside inside, const hostler_slice_t &slice, const AttemptFiles::Place &place) {
  hostler_slice_t &own = slice_.value;
  const hostler_slice_t frame = own;
  own = slice;
  own.struct_size = frame.struct_size;
  own.worker = frame.worker;
  own.job_id = frame.job_id;
  own.host = frame.host;

  files_.begin(place);
  reason_.clear();
  result_.clear();
  has_result_ = false;
  work_ = {};
  has_checkpoint_ = false;
  skipped_.clear();
  skipped_size_ = 0;
  {
    const std::lock_guard lock(mutex_);
    counters_.clear();
    inside_.store(inside, std::memory_order_relaxed);
  }
  return &own;
}

void Runtime::work_on(const Work &work) {
  work_ = work;
  has_checkpoint_ = work.has_checkpoint;
}

bool Runtime::left_nothing() const {
  return !has_result_ && counters_.empty() && files_.empty() && reason_.empty() && !has_checkpoint_ && skipped_.empty();
}

void Runtime::take(SliceEnded &ended) {
  ended.reason = reason_;
  ended.has_result = has_result_;
  ended.result = std::exchange(result_, {});
  for (auto &[begin, record] : skipped_) ended.skipped.push_back(std::move(record));
  skipped_.clear();
  const std::lock_guard lock(mutex_);
  for (const auto &[name, value] : counters_) ended.counters.emplace(name, value);
}

}  // namespace hostler
