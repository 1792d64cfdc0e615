// The worker's side of its page (core/page.h), mapped. The host reads it at any time, so every store is a whole word;
// none of them costs a system call. Also tells whether this process is the worker, or something that it forked.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "core/page.h"

namespace hostler {

class SharedPage {
 public:
  // What map() needs once for all that this process forks, too: a template saves its workers two system calls.
  static Result<void> make_guard();

  // Maps slot `index` of the page file, which may be closed then.
  [[nodiscard]] static Result<SharedPage> map(int page_file, std::uint32_t index);

  // False in every process that the worker forked: its guard is on a page that the kernel wipes on fork.
  [[nodiscard]] bool is_mine() const { return *guard_ != 0; }

  // Room for what the worker alone may have: all zeros in a process that it forked. One thing, trivially destructible.
  static constexpr std::size_t kOwnRoom = 1024;
  [[nodiscard]] static void *own_room();

  // All of it, the page first.
  [[nodiscard]] void *slot() const { return page_; }

  [[nodiscard]] bool go() const { return load(page_->host.go) == 1; }
  [[nodiscard]] std::uint32_t stop() const { return load(page_->host.stop); }
  [[nodiscard]] std::int32_t count() const { return load(page_->host.count); }
  // Stop word and share count in one: it changes when the host wants something new.
  [[nodiscard]] std::uint64_t wishes() const {
    using Both [[gnu::may_alias]] = std::uint64_t;
    return __atomic_load_n(reinterpret_cast<const Both *>(&page_->host.stop), __ATOMIC_RELAXED);
  }
  [[nodiscard]] std::uint32_t shares_asked() const { return load(page_->host.share); }

  void set_stage(Stage stage) {
    std::atomic_ref(page_->worker.stage).store(static_cast<std::uint32_t>(stage), std::memory_order_release);
  }
  // A beat more. Two threads may lose one of two beats: the host only looks whether they change.
  void beat() { store(page_->worker.beats, load(page_->worker.beats) + 1); }
  void set_claim(std::int64_t from, std::int64_t to) {
    WorkerPart &worker = page_->worker;
    store(worker.claimed_from, from);
    store(worker.claimed_to, to);
  }
  void set_at(std::int64_t position) { store(page_->worker.at, position); }
  // What has gone wrong may have done so anywhere in the slice.
  void forget_place() {
    set_claim(0, 0);
    set_at(-1);
  }
  void set_progress(std::int64_t done, std::int64_t total) {
    store(page_->worker.progress_done, done);
    store(page_->worker.progress_total, total);
  }
  void set_ready() { store(page_->worker.ready, std::uint32_t{1}); }
  void set_done_up_to(std::int64_t global) { store(page_->worker.done_up_to, global); }
  // A slice begins: what the last one left in its own fields is gone.
  void begin_slice(std::int64_t global, std::int64_t local);
  // run() has returned. The value stands before the stage says so.
  void set_returned(std::int32_t value) {
    store(page_->worker.returned, value);
    set_stage(Stage::Returned);
  }
  // Cut at what there is room for.
  void set_reason(std::string_view words);
  // Why the worker never came to run(), and whether that may pass.
  void set_failed_before_run(std::string_view words, bool passing);

 private:
  explicit SharedPage(Page *page);

  template <typename T>
  static T load(T &field) {
    return std::atomic_ref(field).load(std::memory_order_relaxed);
  }
  template <typename T>
  static void store(T &field, T value) {
    std::atomic_ref(field).store(value, std::memory_order_relaxed);
  }

  Page *page_;
  const std::uint64_t *guard_;
};

}  // namespace hostler
