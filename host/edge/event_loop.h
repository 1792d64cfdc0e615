// One thread's loop over descriptors (a DescriptorSet), timers and posted calls. Sleeps while nothing is due. Asio is behind
// it, in event_loop.cc alone. All calls are made on the loop's thread, but for post(). Handlers must not throw.
#pragma once

#include <functional>
#include <memory>

#include "core/time.h"
#include "edge/descriptor_set.h"

namespace hostler {

class EventLoop {
 public:
  using Handler = std::function<void()>;
  using Ready = DescriptorSet::Ready;

  // Ends with its destruction, which may happen within its own handler; close the descriptor only after that.
  class Watch {
   public:
    struct Impl;
    Watch();
    explicit Watch(std::unique_ptr<Impl> impl);
    Watch(Watch &&) noexcept;
    Watch &operator=(Watch &&) noexcept;
    ~Watch();

   private:
    std::unique_ptr<Impl> impl_;
  };

  // Fires once at or after its time; setting it again replaces the former time.
  class Timer {
   public:
    struct Impl;
    explicit Timer(EventLoop &loop);
    Timer(Timer &&) noexcept;
    Timer &operator=(Timer &&) noexcept;
    ~Timer();
    void set(TimePoint at, Handler handler);
    void cancel();

   private:
    std::unique_ptr<Impl> impl_;
  };

  // Throws std::system_error when the kernel has no descriptors or no memory for it.
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop &) = delete;
  EventLoop &operator=(const EventLoop &) = delete;

  // Calls the handler whenever the descriptor, which stays the caller's, is ready (level-triggered), until the Watch ends.
  // Errors and end of file count as readable. The descriptor is made non-blocking. It may have one watch of each kind; a
  // new one takes the place of a former one. What the kernel has no room to watch is looked at now and then, until it has.
  [[nodiscard]] Watch watch(int fd, Ready what, Handler handler);
  // Calls the handler on the loop's thread, soon. From any thread.
  void post(Handler handler);
  // Until stop(), which may come from a handler.
  void run();
  void stop();
  [[nodiscard]] static TimePoint now();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostler
