// What a plugin's calls act on: the host table of plugin.h, and the slice that run() is in. One for each worker process.
// claim, at and heartbeat cost a few plain stores and loads; no call but log, output and stop_fd makes a system call.
// enter() and leave() are called on the main thread; the plugin's calls on the threads that plugin.h says.
#pragma once

#include <hostler/plugin.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "core/claims.h"
#include "core/messages.h"
#include "worker/attempt_files.h"
#include "worker/channel.h"
#include "worker/shared_page.h"

namespace hostler {

// The function of the plugin that is running: it tells which calls are allowed.
enum class Inside { Nothing, Prepare, Service, Slice, Merge };

class Runtime {
 public:
  // There is one at a time; the stop signal's handler and the plugin's calls find it by themselves.
  Runtime(const SharedPage &page, Channel &channel, const Start &start);
  ~Runtime();
  Runtime(const Runtime &) = delete;
  Runtime &operator=(const Runtime &) = delete;

  // The stop signal sets the stop word seen here and wakes stop_fd; it never ends the process. `restart_calls`: system
  // calls that it interrupts go on, so that half-way a job's read is not an error.
  void catch_stop_signal(int signal, bool restart_calls);

  // The plugin is about to be called with this slice, whose struct_size, worker, job_id and host are filled in here. The
  // slice is valid until leave().
  const hostler_slice_t *enter(Inside inside, const hostler_slice_t &slice, const AttemptFiles::Place &place);
  // Jobs, after enter(): the slice in work, for what the plugin tells of it before it returns.
  struct Work {
    std::uint64_t lease = 0;
    std::int64_t begin = 0;        // of the slice, global
    std::int64_t shift = 0;        // plus this: a position of the plugin is global
    const Input *input = nullptr;  // of a file
    bool has_checkpoint = false;   // it goes on at one
  };
  void work_on(const Work &work);
  // Jobs: the lease in work.
  [[nodiscard]] Claims &claims() { return claims_; }

  // The plugin has returned: its calls are refused from now on, except those that ask or log.
  void leave() {
    claims_.close();
    inside_.store(Inside::Nothing, std::memory_order_relaxed);
  }

  // The highest stop word seen: of the host, or of a signal that somebody else sent.
  [[nodiscard]] std::uint32_t stop_word() const;
  // The rest of what Claims wants to know, and to tell.
  [[nodiscard]] std::uint64_t wishes() const { return page_.wishes(); }
  [[nodiscard]] std::uint32_t shares_asked() const { return page_.shares_asked(); }
  [[nodiscard]] bool signalled() const { return own_stop_.load(std::memory_order_relaxed) != 0; }
  void tell(const LeaseCut &cut);

  // What the slice left, after leave().
  [[nodiscard]] bool left_nothing() const;
  [[nodiscard]] AttemptFiles &files() { return files_; }
  // Moves reason, result, counters and what was skipped out.
  void take(SliceEnded &ended);
  [[nodiscard]] const std::string &reason() const { return reason_; }

 private:
  friend struct Calls;
  // segments.cc: 0, or -errno, and then nothing has changed.
  int checkpoint(std::int64_t position, std::string_view data);
  int end_segment(std::int64_t position, std::string_view data);
  void put_back(const SegmentEnded &ended);
  int skip(std::int64_t begin, std::int64_t end, std::string_view reason);
  static void on_stop_signal(int signal);
  void wake_stop_fd() const;

  // Zero-filled behind the struct, for calls and fields that this host does not know.
  template <typename T>
  struct alignas(64) Roomy {
    T value{};
    unsigned char room[HOSTLER_STRUCT_ROOM] = {};
  };

  SharedPage page_;  // two pointers: one load less in every call
  std::atomic<std::uint32_t> own_stop_{0};
  std::atomic<Inside> inside_{Inside::Nothing};
  Claims &claims_;  // in the page's own room, so a process that the plugin forked has none
  std::atomic<int> stop_fd_{-1};
  Channel &channel_;
  const Start &start_;
  Roomy<hostler_slice_t> slice_;
  Roomy<hostler_host_t> host_;

  AttemptFiles files_;
  std::string reason_;
  std::string result_;
  bool has_result_ = false;
  Work work_;
  bool has_checkpoint_ = false;
  std::map<std::int64_t, Aside> skipped_;  // since the last checkpoint, by their begin
  std::size_t skipped_size_ = 0;           // what they take of what is allowed
  std::mutex mutex_;                       // for what any thread may do: counters, ready, the making of stop_fd
  std::map<std::string, std::int64_t, std::less<>> counters_;
  bool ready_told_ = false;
};

}  // namespace hostler
