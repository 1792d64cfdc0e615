// The workers' pages (core/page.h): one file on tmpfs, private, named by the state folder; it outlives a host that
// dies, not a reboot. Read and written here with pread and pwrite, so that nothing a worker does to it can hurt. One
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/page.h"
#include "edge/unique_fd.h"

namespace hostler {

class PageFile {
 public:
  // In /run, XDG_RUNTIME_DIR or /dev/shm: the first that is a tmpfs and may be written to.
  [[nodiscard]] static Result<PageFile> open(const std::string &state_dir);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const std::string &path() const { return path_; }

  // Takes the file's name away, at the end of a host that has no workers any more. After a host that died it stays.
  void remove() const;

  // A page that nobody uses, empty but for the host's layout; an error when the tmpfs is full.
  [[nodiscard]] Result<std::uint32_t> allocate();
  // Nobody maps it any more.
  void release(std::uint32_t index) { free_.push_back(index); }

  void write(std::uint32_t index, const HostPart &part);
  // As the worker left it, or an empty one when it cannot be read.
  [[nodiscard]] WorkerPart read(std::uint32_t index) const;

 private:
  PageFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  UniqueFd fd_;
  std::string path_;
  std::vector<std::uint32_t> free_;
  std::uint32_t next_ = 0;
};

}  // namespace hostler
