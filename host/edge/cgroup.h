// Cgroups (v2) of workers: where they can be, and one of them. All are below the cgroup that the host was started in:
//
//   BASE/hostler-host      the host and its template, when a cgroup with processes may have no children (all but the root)
//   BASE/hostler-KEY/…     the fleet of the state folder KEY, a cgroup for each worker that has one
//
// One thread. System calls on a cgroup do not block for long, but moving a process into one may take some milliseconds.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/limits.h"

namespace hostler {

// Looked at without changing anything.
struct CgroupPlace {
  std::string base;                      // the folder of BASE; empty: there is no cgroup v2 to be had
  std::vector<std::string> controllers;  // of memory, cpu and pids, those that BASE can give to its children
  std::string lacks;                     // why not all of this, in words

  [[nodiscard]] bool usable() const { return !base.empty(); }
  [[nodiscard]] bool has(const std::string &controller) const;
};

// Of this process. The files are for tests.
[[nodiscard]] CgroupPlace find_cgroup_place(const std::string &mountinfo = "/proc/self/mountinfo",
                                            const std::string &own = "/proc/self/cgroup");

// A worker's. It is removed with this object, as far as nothing lives in it.
class WorkerCgroup {
 public:
  explicit WorkerCgroup(std::string path) : path_(std::move(path)) {}
  ~WorkerCgroup();
  WorkerCgroup(const WorkerCgroup &) = delete;
  WorkerCgroup &operator=(const WorkerCgroup &) = delete;

  [[nodiscard]] Result<void> limit(const Limits &limits) const;
  [[nodiscard]] Result<void> take(pid_t pid) const;
  // SIGKILL to all that is in it.
  void kill() const;
  [[nodiscard]] bool is_populated() const;
  // The kernel has killed in it for want of memory below its limit.
  [[nodiscard]] bool ran_out_of_memory() const;

 private:
  std::string path_;
};

// Those of a host's workers.
class FleetCgroups {
 public:
  // Kills and removes what a former host of this state folder has left, wherever that was. Whoever has the fleet's lock
  // may do this.
  explicit FleetCgroups(std::string state_dir);
  // Kills and removes what is left.
  ~FleetCgroups();
  FleetCgroups(const FleetCgroups &) = delete;
  FleetCgroups &operator=(const FleetCgroups &) = delete;

  // A new one for this process. `name` is one path component, used once.
  [[nodiscard]] Result<std::unique_ptr<WorkerCgroup>> add(const std::string &name, const Limits &limits, pid_t pid);

 private:
  [[nodiscard]] Result<void> prepare();

  std::string state_dir_;
  std::string folder_;  // BASE/hostler-KEY, when it is there
};

}  // namespace hostler
