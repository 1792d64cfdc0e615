// A window of a file, mapped read-only. Any thread may read it.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <hostler/detail/verdict.hpp>

#include <cerrno>
#include <string_view>

namespace hostler::detail {

/// The bytes [from, to) of a file, cut at its size. Positions are offsets in the file.
class Mapping {
 public:
  Mapping(const char *path, int64_t from, int64_t to) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    const int error = fd < 0 || !map(fd, from, to) ? errno : 0;
    if (fd >= 0) ::close(fd);
    if (error != 0) throw_errno(path, error);
  }
  Mapping(const Mapping &) = delete;
  Mapping &operator=(const Mapping &) = delete;
  ~Mapping() {
    if (begin_ != end_) ::munmap(const_cast<char *>(base_), static_cast<size_t>(end_ - begin_));
  }

  /// One past the last position that is mapped.
  int64_t end() const { return end_; }
  int64_t file_size() const { return file_size_; }
  bool holds(const char *byte) const { return byte >= base_ && byte - base_ <= end_ - begin_; }
  const char *data(int64_t position) const { return base_ + (position - begin_); }
  int64_t position(const char *byte) const { return begin_ + (byte - base_); }
  std::string_view view(int64_t from, int64_t to) const { return {data(from), static_cast<size_t>(to - from)}; }

 private:
  static constexpr int64_t kLargestPage = int64_t{64} * 1024;

  bool map(int fd, int64_t from, int64_t to) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return false;
    file_size_ = status.st_size;
    const int64_t end = to < file_size_ ? to : file_size_;
    if (from >= end) {
      begin_ = end_ = from;
      return true;
    }
    const int64_t begin = from / kLargestPage * kLargestPage;
    void *mapped = ::mmap(nullptr, static_cast<size_t>(end - begin), PROT_READ, MAP_PRIVATE, fd, begin);
    if (mapped == MAP_FAILED) return false;
    begin_ = begin;
    end_ = end;
    base_ = static_cast<const char *>(mapped);
    return true;
  }

  const char *base_ = "";
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int64_t file_size_ = 0;
};

}  // namespace hostler::detail
