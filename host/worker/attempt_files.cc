#include "worker/attempt_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <hostler/plugin.h>

#include "core/messages.h"

namespace hostler {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

bool is_one_component(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

Result<void> sync_fd(int fd, const std::string &path) {
  if (::fsync(fd) == 0) return {};
  return fail(path, std::string("cannot be made durable: ") + std::strerror(errno));
}

}  // namespace

void AttemptFiles::begin(const Place &place) {
  place_ = place;
  if (dir_.empty()) return;
  files_.clear();
  dir_fd_.reset();
  dir_.clear();
}

int AttemptFiles::make_dir() {
  const std::string dir = attempts_dir_ + "/" + attempt_folder(place_.input, place_.begin, place_.merge, place_.lease);
  std::error_code error;
  std::filesystem::create_directories(attempts_dir_, error);
  if (error) return -error.value();
  // One that is there is of a host that died: nobody else owns this slice, and what was to be kept has been moved away.
  if (std::filesystem::remove_all(dir, error); error) return -error.value();
  if (::mkdir(dir.c_str(), 0777) != 0) return -errno;
  UniqueFd fd(::open(dir.c_str(), kFolder));
  if (!fd) return -errno;
  dir_ = dir;
  dir_fd_ = std::move(fd);
  return 0;
}

int AttemptFiles::open(const char *name) {
  if (name == nullptr) return -EINVAL;
  if (::strnlen(name, HOSTLER_MAX_OUTPUT_NAME + 1) > HOSTLER_MAX_OUTPUT_NAME) return -EMSGSIZE;
  if (!is_one_component(name)) return -EINVAL;
  const auto known = std::find_if(files_.begin(), files_.end(), [&](const auto &file) { return file.first == name; });
  if (known != files_.end()) return known->second.get();
  if (!dir_fd_) {
    if (const int error = make_dir(); error != 0) return error;
  }
  UniqueFd fd(::openat(dir_fd_.get(), name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!fd) {
    const int error = errno;
    if (files_.empty()) drop_dir();
    return -error;
  }
  return files_.emplace_back(name, std::move(fd)).second.get();
}

void AttemptFiles::drop_dir() {
  ::rmdir(dir_.c_str());
  dir_fd_.reset();
  dir_.clear();
}

Result<void> AttemptFiles::sync() const {
  for (const auto &[name, fd] : files_)
    if (auto synced = sync_fd(fd.get(), dir_ + "/" + name); !synced) return synced;
  if (!dir_fd_) return {};
  if (auto synced = sync_fd(dir_fd_.get(), dir_); !synced) return synced;
  const UniqueFd attempts(::open(attempts_dir_.c_str(), kFolder));
  return sync_fd(attempts.get(), attempts_dir_);
}

std::vector<std::string> AttemptFiles::names() const {
  std::vector<std::string> names;
  names.reserve(files_.size());
  for (const auto &[name, fd] : files_) names.push_back(name);
  return names;
}

}  // namespace hostler
