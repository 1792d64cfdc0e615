#include "edge/known_builds.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace hostler {
namespace {

// A file that had not changed for so long when it was read is the same for as long as stat says so. A younger one could be
// written to once more within the same tick of the file system's clock, which is git's "racily clean" file, or through
// a mapping with pages that are dirty already, which leaves no trace until the kernel has written them back.
constexpr auto kSettled = std::chrono::seconds(3);

}  // namespace

bool is_same_file(const struct stat &a, const struct stat &b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

std::chrono::nanoseconds age(const struct stat &status) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::chrono::seconds(now.tv_sec - status.st_ctim.tv_sec) +
         std::chrono::nanoseconds(now.tv_nsec - status.st_ctim.tv_nsec);
}

Sight::Sight(std::string path, const struct stat &status, std::chrono::nanoseconds age)
    : path_(std::move(path)), there_(true), settled_(age >= kSettled), status_(status) {}

bool Sight::is_unchanged() const {
  struct stat now {};
  const bool there = ::stat(path_.c_str(), &now) == 0 && S_ISREG(now.st_mode);
  return there_ ? there && settled_ && is_same_file(status_, now) : !there;
}

std::optional<KnownBuild> KnownBuilds::find(const std::string &plugin) const {
  const std::lock_guard lock(mutex_);
  const auto found = builds_.find(plugin);
  if (found == builds_.end() || !std::ranges::all_of(found->second.sights, &Sight::is_unchanged)) return std::nullopt;
  if (::access(found->second.build.library.c_str(), F_OK) != 0) return std::nullopt;
  return found->second;
}

void KnownBuilds::remember(const std::string &plugin, KnownBuild known) {
  const std::lock_guard lock(mutex_);
  builds_.insert_or_assign(plugin, std::move(known));
}

}  // namespace hostler
