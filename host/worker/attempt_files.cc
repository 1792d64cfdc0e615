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
#include "core/output_layout.h"

namespace hostler {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int kAppend = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC;

Result<void> sync_fd(int fd, const std::string &path) {
  if (::fsync(fd) == 0) return {};
  return fail(path, std::string("cannot be made durable: ") + std::strerror(errno));
}

}  // namespace

void AttemptFiles::begin(const Place &place) {
  place_ = place;
  if (dir_.empty()) return;
  close();
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
  if (!is_output_name(name, place_.merge)) return -EINVAL;
  const auto known = std::find_if(files_.begin(), files_.end(), [&](const auto &file) { return file.name == name; });
  if (known != files_.end()) return known->is_open() ? known->fd.get() : open_again(*known);
  if (!dir_fd_) {
    if (const int error = make_dir(); error != 0) return error;
  }
  UniqueFd fd(::openat(dir_fd_.get(), name, kAppend | O_CREAT | O_EXCL, 0666));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    const int error = errno;
    if (files_.empty()) drop_dir();
    return -error;
  }
  return files_.emplace_back(File{name, std::move(fd), status.st_dev, status.st_ino}).fd.get();
}

bool AttemptFiles::File::is_open() const {
  struct stat status {};
  return ::fstat(fd.get(), &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

int AttemptFiles::open_again(File &file) const {
  (void)file.fd.release();  // the plugin has closed it
  file.fd.reset(::openat(dir_fd_.get(), file.name.c_str(), kAppend));
  return file.fd ? file.fd.get() : -errno;
}

// What is no longer ours to close stays open.
void AttemptFiles::close() {
  for (File &file : files_)
    if (!file.is_open()) (void)file.fd.release();
  files_.clear();
}

void AttemptFiles::drop_dir() {
  ::rmdir(dir_.c_str());
  dir_fd_.reset();
  dir_.clear();
}

Result<void> AttemptFiles::check() const {
  for (const File &file : files_) {
    struct stat now {};
    const bool there = ::fstatat(dir_fd_.get(), file.name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there || now.st_dev != file.device || now.st_ino != file.inode)
      return fail("output " + file.name, there ? "is not the file that output() made" : "is gone");
  }
  return {};
}

Result<void> AttemptFiles::sync() const {
  for (const File &file : files_) {
    // By another descriptor when the plugin has closed its own: what it wrote is the file's.
    const UniqueFd other(file.is_open() ? -1 : ::openat(dir_fd_.get(), file.name.c_str(), kAppend));
    if (auto synced = sync_fd(other ? other.get() : file.fd.get(), dir_ + "/" + file.name); !synced) return synced;
  }
  if (!dir_fd_) return {};
  if (auto synced = sync_fd(dir_fd_.get(), dir_); !synced) return synced;
  const UniqueFd attempts(::open(attempts_dir_.c_str(), kFolder));
  return sync_fd(attempts.get(), attempts_dir_);
}

std::vector<std::string> AttemptFiles::names() const {
  std::vector<std::string> names;
  names.reserve(files_.size());
  for (const File &file : files_) names.push_back(file.name);
  return names;
}

}  // namespace hostler
