// What is due when. Owns no clock: it tells its owner whenever the earliest time has changed, for the owner's one alarm,
// and is told by run(now) that it rang.
#pragma once

#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "core/time.h"

namespace hostler {

class TimerQueue {
 public:
  using Handler = std::function<void()>;

  class Timer;
  struct Due {
    Timer *timer;
    Handler handler;
  };

  // A place for one timer. Setting it again replaces the former time; its destruction cancels.
  class Timer {
   public:
    explicit Timer(TimerQueue &queue) : queue_(&queue) {}
    Timer(const Timer &) = delete;
    Timer &operator=(const Timer &) = delete;
    ~Timer() { cancel(); }
    void set(TimePoint at, Handler handler) {
      cancel();
      entry_ = queue_->due_.emplace(at, Due{this, std::move(handler)});
      queue_->tell();
    }
    void cancel() {
      if (!entry_) return;
      queue_->due_.erase(*entry_);
      entry_.reset();
      queue_->tell();
    }
    [[nodiscard]] bool is_set() const { return entry_.has_value(); }

   private:
    friend class TimerQueue;
    TimerQueue *queue_;
    std::optional<std::multimap<TimePoint, Due>::iterator> entry_;
  };

  // `earliest_changed` gets the time of what is due first; nothing: nothing is due.
  explicit TimerQueue(std::function<void(std::optional<TimePoint>)> earliest_changed)
      : earliest_changed_(std::move(earliest_changed)) {}

  // Calls the handlers of all that is due; they may set and cancel timers. What they make due at once waits for the next
  // alarm, so that a mistake burns time but never holds the thread.
  void run(TimePoint now) {
    told_.reset();  // the alarm has been spent
    auto left = std::distance(due_.begin(), due_.upper_bound(now));
    while (left-- > 0 && !due_.empty() && due_.begin()->first <= now) {
      Due due = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      due.timer->entry_.reset();
      due.handler();
    }
    tell();
  }

 private:
  void tell() {
    const auto earliest = due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
    if (earliest == told_) return;
    told_ = earliest;
    earliest_changed_(earliest);
  }

  std::function<void(std::optional<TimePoint>)> earliest_changed_;
  std::optional<TimePoint> told_;
  std::multimap<TimePoint, Due> due_;
};

}  // namespace hostler
