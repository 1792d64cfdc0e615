// A worker as the fleet knows it, for the files that make up the fleet.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/exit_status.h"
#include "core/page.h"
#include "edge/cgroup.h"
#include "edge/event_loop.h"
#include "edge/fleet.h"
#include "edge/frame_sender.h"
#include "edge/unique_fd.h"

namespace hostler {

struct Fleet::Worker {
  struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
  };
  WorkerId id = 0;
  std::string entry;
  std::int32_t instance = 0;
  std::optional<std::uint32_t> page;  // since it was prepared
  HostPart host_part;
  pid_t pid = 0;  // 0: not forked yet
  UniqueFd pidfd;
  UniqueFd channel;
  std::shared_ptr<UniqueFd> output;  // the end that the log reads: hangs up when nobody can print any more
  FrameReader reader;
  std::optional<FrameSender> sender;  // since it was prepared
  bool kill_at_birth = false;
  bool is_garbage = false;  // it said something that cannot be right: nothing more is read
  bool is_job = false;
  std::unique_ptr<WorkerCgroup> cgroup;  // of entries with limits
  std::int64_t memory_limit = -1;
  std::optional<Owner> user;           // who is not ours
  bool line_is_closed = false;         // nobody holds the other end of its channel
  bool is_dead = false;                // and what it has left behind may not all be dead yet
  bool rest_is_known = false;          // what it has left behind is among the strays, or there is nothing
  std::unique_ptr<WaitStatus> status;  // since it was reaped
  TimePoint died{};
  std::unique_ptr<EventLoop::Timer> patience;  // made when its channel is closed and it lives on
  EventLoop::Watch channel_watch;
  EventLoop::Watch death_watch;
};

}  // namespace hostler
