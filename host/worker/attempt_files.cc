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

// So little is hardly any: who has given up for want of room leaves no more of it.
constexpr off_t kHardlyAny = off_t{1} << 20;

bool is_full(int error) {
  return error == ENOSPC || error == EDQUOT;
}

Result<void> not_durable(const std::string &path, int error) {
  return fail(path, std::string("cannot be made durable: ") + std::strerror(error));
}

}  // namespace

void AttemptFiles::begin(const Place &place) {
  place_ = place;
  full_error_ = 0;
  if (dir_.empty()) return;
  close();
  dir_fd_.reset();
  dir_.clear();
}

Result<void> AttemptFiles::restore(const std::string &dir, const std::vector<OutputLength> &committed) {
  if (dir.empty()) return {};
  dir_fd_.reset(::open(dir.c_str(), kFolder));
  if (!dir_fd_) return not_restored(dir, errno);
  dir_ = dir;
  for (const OutputLength &file : committed)
    if (Result<void> restored = restore_file(file); !restored) return restored;
  names_synced_ = files_.size();
  return remove_others();
}

// What is not there, or is somebody else's, will not come back.
Result<void> AttemptFiles::not_restored(const std::string &path, int error) {
  met(error);
  const bool gone = error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES || error == EPERM ||
                    error == ENXIO || error == EISDIR;
  return tl::unexpected(Error{path, std::string("cannot be gone on with: ") + std::strerror(error), {}, !gone});
}

Result<void> AttemptFiles::restore_file(const OutputLength &committed) {
  const std::string path = dir_ + "/" + committed.name;
  // Something else than a file must not hold us up.
  UniqueFd fd(::openat(dir_fd_.get(), committed.name.c_str(), kAppend | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return not_restored(path, errno);
  if (!S_ISREG(status.st_mode) || status.st_size < committed.size)
    return fail(path, S_ISREG(status.st_mode) ? "is shorter than what was committed" : "is not a regular file");
  if (status.st_size > committed.size && ::ftruncate(fd.get(), committed.size) != 0) return not_restored(path, errno);
  if (::fcntl(fd.get(), F_SETFL, O_APPEND) != 0) return not_restored(path, errno);
  files_.push_back({committed.name, std::move(fd), status.st_dev, status.st_ino});
  return {};
}

Result<void> AttemptFiles::remove_others() {
  std::error_code error;
  std::vector<std::filesystem::path> others;
  for (auto entry = std::filesystem::directory_iterator(dir_, error); !error && entry != std::filesystem::end(entry);
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (std::ranges::find(files_, name, &File::name) == files_.end()) others.push_back(entry->path());
  }
  for (const auto &other : others)
    if (!error) std::filesystem::remove_all(other, error);
  return error ? not_restored(dir_, error.value()) : Result<void>{};
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
  const int fd = open_file(name);
  if (fd < 0) met(-fd);
  return fd;
}

int AttemptFiles::open_file(const char *name) {
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
  names_synced_ = 0;
  sync_error_ = 0;
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

Result<void> AttemptFiles::sync_file(const File &file) {
  const std::string path = dir_ + "/" + file.name;
  if (sync_error_ != 0) return not_durable(path, sync_error_);
  // By another descriptor when the plugin has closed its own: what it wrote is the file's.
  const UniqueFd other(file.is_open() ? -1 : ::openat(dir_fd_.get(), file.name.c_str(), kAppend));
  if (::fsync(other ? other.get() : file.fd.get()) == 0) return {};
  met(sync_error_ = errno);
  return not_durable(path, sync_error_);
}

Result<void> AttemptFiles::sync_names() {
  if (!dir_fd_ || names_synced_ == files_.size()) return {};
  const UniqueFd attempts(::open(attempts_dir_.c_str(), kFolder));
  if (::fsync(dir_fd_.get()) != 0 || ::fsync(attempts.get()) != 0) {
    met(sync_error_ = errno);
    return not_durable(dir_, sync_error_);
  }
  names_synced_ = files_.size();
  return {};
}

Result<void> AttemptFiles::sync() {
  for (const File &file : files_)
    if (auto synced = sync_file(file); !synced) return synced;
  return sync_names();
}

// The length comes first: what is written meanwhile may be on the disk, or not.
int AttemptFiles::sync_lengths(std::vector<OutputLength> &lengths) {
  for (const File &file : files_) {
    struct stat status {};
    if (::fstatat(dir_fd_.get(), file.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    lengths.push_back({file.name, status.st_size});
  }
  return sync() ? 0 : sync_error_;
}

void AttemptFiles::met(int error) {
  if (is_full(error)) full_error_ = error;
}

// By a file that loses its name at once; who has an output of that name is not asked. Nothing is written, so that no limit
// of file sizes is met.
int AttemptFiles::ask_for_room() const {
  constexpr const char *kName = ".room";
  const UniqueFd fd(::openat(dir_fd_.get(), kName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno;
  ::unlinkat(dir_fd_.get(), kName, 0);
  int error = 0;
  do error = ::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, kHardlyAny) == 0 ? 0 : errno;
  while (error == EINTR);
  return error;
}

std::optional<Error> AttemptFiles::want_of_room() {
  if (full_error_ == 0 && dir_fd_) met(ask_for_room());
  if (full_error_ == 0) return std::nullopt;
  return Error{dir_.empty() ? attempts_dir_ : dir_, std::strerror(full_error_), {}};
}

std::vector<std::string> AttemptFiles::names() const {
  std::vector<std::string> names;
  names.reserve(files_.size());
  for (const File &file : files_) names.push_back(file.name);
  return names;
}

}  // namespace hostler
