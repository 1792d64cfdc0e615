// A job's worker at work: lease after lease, slice after slice, until the host wants no more of it. Main thread.
#pragma once

#include <vector>

#include "core/messages.h"
#include "worker/channel.h"
#include "worker/plugin_loader.h"
#include "worker/runtime.h"
#include "worker/shared_page.h"

namespace hostler {

class JobLoop {
 public:
  JobLoop(SharedPage &page, Channel &channel, Runtime &runtime, const LoadedPlugin &plugin, const Start &start)
      : page_(page), channel_(channel), runtime_(runtime), plugin_(plugin), start_(start) {}

  // Ends with the process: by end of file, when asked to stop, or with a slice's verdict that ends it.
  [[noreturn]] void run();

 private:
  enum class Next { GoOn, EndLease };

  void work(const Lease &lease);
  void run_merge(const Lease &lease);
  Next run_slice(const Lease &lease, const SliceSpan &span, std::int64_t shift);
  // The slice as the plugin sees it.
  [[nodiscard]] hostler_slice_t slice_of(const Lease &lease, const SliceSpan &span, std::int64_t shift) const;
  // Between the plugin's return and the host's commit: `input` must not have changed, and what was written be durable.
  Next settle(const Lease &lease, Interval global, std::int32_t returned, std::int64_t claimed_to, const Input *input);
  void make_durable(SliceEnded &ended);
  void look_for_room(SliceEnded &ended);
  Next refuse_saved(const Lease &lease, Interval global, const Error &error);
  Next refuse_changed(const Lease &lease, Interval global, std::string change);
  [[nodiscard]] const CountedCode *rule_for(std::int32_t returned) const;
  void tell(const WorkerMessage &message);
  [[noreturn]] void leave(int code);

  SharedPage &page_;
  Channel &channel_;
  Runtime &runtime_;
  const LoadedPlugin &plugin_;
  const Start &start_;
  std::vector<const char *> items_;  // of the lease
};

// The end of a process that the plugin forked and that came back to us. The bare system call: nothing that hooks into an
// exit, as sanitizers do, may write what stands in the buffers.
[[noreturn]] void leave_without_trace(std::int32_t returned);

// What run() or merge() returned, once the process is known to be the worker still; a process that the plugin forked and
// that comes back from run() leaves here, without a trace. Buffered output has been written.
[[nodiscard]] std::int32_t returned_to_worker(SharedPage &page, Runtime &runtime, std::int32_t returned);

}  // namespace hostler
