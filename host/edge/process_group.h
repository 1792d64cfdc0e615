// A process group that is ended as one: what forks and leaves for ever is gone, with another in its place, before it can be
// held by a descriptor. Its group is not, and a signal reaches all of that at once, a fork that is under way included.
// Any thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

namespace hostler {

// Stops the group, so that the numbers of its members stay their own while they are looked at, and kills it if `are_ours`
// says so of all who live in it; otherwise, or when they do not stop within so many looks, 10 ms apart, it goes on. Not our own
// group, nor one whose leader lives. Looks through /proc: milliseconds.
void end_group(pid_t group, int looks, const std::function<bool(const std::vector<pid_t> &)> &are_ours);

}  // namespace hostler
