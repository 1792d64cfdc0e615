#include "worker/runtime_calls.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>

#include "core/plain_text.h"
#include "worker/runtime.h"

namespace hostler {
namespace {

constexpr auto kCancelled = static_cast<std::uint32_t>(StopWord::Cancel);
constexpr auto kDeadline = static_cast<std::uint32_t>(StopWord::Deadline);

constexpr std::array<std::string_view, 4> kLevelMarks{"[debug] ", "[info] ", "[warning] ", "[error] "};

// One write for each piece, so that the lines of several threads stay whole.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return -errno;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return 0;
}

// Each line of the text as one of the log.
std::string marked_lines(std::string_view mark, std::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::string lines;
  while (true) {
    const std::size_t newline = text.find('\n');
    lines.append(mark).append(text.substr(0, newline)).push_back('\n');
    if (newline == std::string_view::npos) return lines;
    text.remove_prefix(newline + 1);
  }
}

}  // namespace

// The plugin's thread of control may be any thread of it, or a process that it forked: is_mine() comes first.
struct Calls {
  static std::int64_t claim(const hostler_slice_t *, std::int64_t from, std::int64_t to) noexcept {
    Runtime &runtime = *the();
    // In a process that the plugin forked there is nothing to be granted: the claims lie where that reads zeros.
    if (!runtime.claims_.grant(runtime, from, to)) [[unlikely]]
      return claim_with_care(runtime, from, to);
    runtime.page_.set_claim(from, to);
    return to;
  }

  static int at(const hostler_slice_t *, std::int64_t position) noexcept {
    Runtime &runtime = *the();
    if (!may_work(runtime)) return -EPERM;
    runtime.page_.set_at(position);
    return 0;
  }

  static int heartbeat(const hostler_slice_t *) noexcept {
    Runtime &runtime = *the();
    if (!may_work(runtime)) return -EPERM;
    runtime.page_.beat();
    return 0;
  }

  static int progress(const hostler_slice_t *, std::int64_t done, std::int64_t total) noexcept {
    Runtime &runtime = *the();
    if (!may_work(runtime)) return -EPERM;
    if (done < 0 || total < 0) return -EINVAL;
    runtime.page_.set_progress(done, total);
    runtime.page_.beat();
    return 0;
  }

  static int should_stop(const hostler_slice_t *) noexcept {
    Runtime &runtime = *the();
    if (!may_ask(runtime)) return -EPERM;
    const std::uint32_t word = std::min(runtime.stop_word(), kDeadline);
    if (word >= kCancelled) runtime.wake_stop_fd();
    return static_cast<int>(word);
  }

  static int stop_fd(const hostler_slice_t *) noexcept {
    Runtime &runtime = *the();
    if (!may_ask(runtime)) return -EPERM;
    const std::lock_guard lock(runtime.mutex_);
    if (runtime.stop_fd_ < 0) {
      const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      if (fd < 0) return -errno;
      runtime.stop_fd_ = fd;
    }
    // A signal that came before the descriptor was there could not wake it.
    if (runtime.stop_word() >= kCancelled) runtime.wake_stop_fd();
    return runtime.stop_fd_;
  }

  static int output(const hostler_slice_t *, const char *name) noexcept {
    Runtime &runtime = *the();
    if (!may_leave_something(runtime)) return -EPERM;
    return runtime.files_.open(name);
  }

  static int result(const hostler_slice_t *, const void *data, std::int64_t size) noexcept {
    Runtime &runtime = *the();
    if (!may_leave_something(runtime)) return -EPERM;
    if (size < 0 || (data == nullptr && size > 0)) return -EINVAL;
    if (size > HOSTLER_MAX_RESULT) return -EMSGSIZE;
    try {
      runtime.result_.assign(static_cast<const char *>(data), static_cast<std::size_t>(size));
    } catch (const std::bad_alloc &) {
      return -ENOMEM;
    }
    runtime.has_result_ = true;
    return 0;
  }

  static int counter(const hostler_slice_t *, const char *name, std::int64_t delta) noexcept {
    Runtime &runtime = *the();
    if (!may_leave_something(runtime)) return -EPERM;
    if (name == nullptr || *name == '\0') return -EINVAL;
    const std::size_t size = ::strnlen(name, HOSTLER_MAX_COUNTER_NAME + 1);
    if (size > HOSTLER_MAX_COUNTER_NAME) return -EMSGSIZE;
    if (!is_plain({name, size})) return -EINVAL;
    const std::lock_guard lock(runtime.mutex_);
    if (!may_leave_something(runtime)) return -EPERM;  // run() returned meanwhile
    auto found = runtime.counters_.find(std::string_view(name, size));
    if (found == runtime.counters_.end()) {
      if (runtime.counters_.size() >= HOSTLER_MAX_COUNTERS) return -EMSGSIZE;
      try {
        found = runtime.counters_.emplace(std::string(name, size), 0).first;
      } catch (const std::bad_alloc &) {
        return -ENOMEM;
      }
    }
    std::int64_t sum = 0;
    if (__builtin_add_overflow(found->second, delta, &sum)) return -EOVERFLOW;
    found->second = sum;
    return 0;
  }

  static int checkpoint(const hostler_slice_t *, std::int64_t position, const void *data, std::int64_t size) noexcept {
    Runtime &runtime = *the();
    if (!is_in_slice(runtime)) return -EPERM;
    if (size < 0 || (data == nullptr && size > 0)) return -EINVAL;
    if (size > HOSTLER_MAX_CHECKPOINT) return -EMSGSIZE;
    try {
      return runtime.checkpoint(position, {static_cast<const char *>(data), static_cast<std::size_t>(size)});
    } catch (const std::bad_alloc &) {
      return -ENOMEM;
    }
  }

  static int skip(const hostler_slice_t *, std::int64_t begin, std::int64_t end, const char *reason) noexcept {
    Runtime &runtime = *the();
    if (!is_in_slice(runtime)) return -EPERM;
    if (reason == nullptr) return -EINVAL;
    try {
      return runtime.skip(begin, end, {reason, ::strnlen(reason, HOSTLER_MAX_REASON)});
    } catch (const std::bad_alloc &) {
      return -ENOMEM;
    }
  }

  static int fail(const hostler_slice_t *, const char *reason) noexcept {
    Runtime &runtime = *the();
    if (!runtime.page_.is_mine() || runtime.inside_.load(std::memory_order_relaxed) == Inside::Nothing) return -EPERM;
    if (reason == nullptr) return -EINVAL;
    const std::string_view words(reason, ::strnlen(reason, HOSTLER_MAX_REASON));
    runtime.page_.set_reason(words);
    try {
      runtime.reason_ = words;
    } catch (const std::bad_alloc &) {
      return -ENOMEM;
    }
    return 0;
  }

  static int log(const hostler_slice_t *, int level, const char *text, std::int64_t size) noexcept {
    Runtime &runtime = *the();
    if (!runtime.page_.is_mine()) return -EPERM;
    if (level < HOSTLER_LOG_DEBUG || level > HOSTLER_LOG_ERROR || size < 0 || (text == nullptr && size > 0))
      return -EINVAL;
    try {
      return write_all(STDERR_FILENO, marked_lines(kLevelMarks[static_cast<std::size_t>(level)],
                                                   {text, static_cast<std::size_t>(size)}));
    } catch (const std::bad_alloc &) {
      return -ENOMEM;
    }
  }

  static const char *param(const hostler_slice_t *, const char *key) noexcept {
    Runtime &runtime = *the();
    if (!runtime.page_.is_mine() || key == nullptr) return nullptr;
    try {
      const auto found = runtime.start_.params.find(key);
      return found == runtime.start_.params.end() ? nullptr : found->second.c_str();
    } catch (const std::bad_alloc &) {
      return nullptr;
    }
  }

  static int ready(const hostler_slice_t *) noexcept {
    Runtime &runtime = *the();
    if (!may_work(runtime)) return -EPERM;
    if (runtime.inside_.load(std::memory_order_relaxed) != Inside::Service) return 0;
    const std::lock_guard lock(runtime.mutex_);
    if (runtime.ready_told_) return 0;
    runtime.ready_told_ = true;
    runtime.page_.set_ready();
    return runtime.channel_.send(Ready{}) ? 0 : -EPIPE;
  }

  static std::int64_t count(const hostler_slice_t *) noexcept {
    Runtime &runtime = *the();
    if (!may_ask(runtime)) return -EPERM;
    if (start_is_job(runtime)) return runtime.slice_.value.count;
    const std::int64_t live = runtime.page_.count();
    return live > 0 ? live : runtime.start_.count;
  }

 private:
  static Runtime *the() { return the_runtime; }

  static bool start_is_job(const Runtime &runtime) { return runtime.start_.job; }

  [[gnu::noinline, gnu::cold]] static std::int64_t claim_with_care(Runtime &runtime, std::int64_t from,
                                                                   std::int64_t to) noexcept {
    if (!may_work(runtime)) return -EPERM;
    if (!is_in_slice(runtime)) return from;  // without positions there is nothing to be granted
    const std::int64_t granted = runtime.claims_.claim(runtime, from, to);
    if (granted > from) runtime.page_.set_claim(from, granted);
    return granted;
  }

  // In run() or merge(); prepare() has no slice to work on.
  static bool may_work(const Runtime &runtime) {
    const Inside inside = runtime.inside_.load(std::memory_order_relaxed);
    return runtime.page_.is_mine() && inside != Inside::Nothing && inside != Inside::Prepare;
  }
  // Threads that the plugin has left running may still ask.
  static bool may_ask(const Runtime &runtime) {
    return runtime.page_.is_mine() && runtime.inside_.load(std::memory_order_relaxed) != Inside::Prepare;
  }
  // merge() has no positions.
  static bool is_in_slice(const Runtime &runtime) {
    return runtime.page_.is_mine() && runtime.inside_.load(std::memory_order_relaxed) == Inside::Slice;
  }
  // Only what a job does is ever committed.
  static bool may_leave_something(const Runtime &runtime) {
    const Inside inside = runtime.inside_.load(std::memory_order_relaxed);
    return runtime.page_.is_mine() && (inside == Inside::Slice || inside == Inside::Merge);
  }
};

hostler_host_t host_table() {
  hostler_host_t table{};
  table.struct_size = sizeof table;
  table.claim = Calls::claim;
  table.at = Calls::at;
  table.heartbeat = Calls::heartbeat;
  table.progress = Calls::progress;
  table.should_stop = Calls::should_stop;
  table.stop_fd = Calls::stop_fd;
  table.checkpoint = Calls::checkpoint;
  table.skip = Calls::skip;
  table.output = Calls::output;
  table.result = Calls::result;
  table.counter = Calls::counter;
  table.fail = Calls::fail;
  table.log = Calls::log;
  table.param = Calls::param;
  table.ready = Calls::ready;
  table.count = Calls::count;
  return table;
}

}  // namespace hostler
