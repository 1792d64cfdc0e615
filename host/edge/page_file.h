// The workers' pages (core/page.h): one file on tmpfs, private, named by user and state folder; it outlives a host
// that dies, not a reboot. Read and written here with pread and pwrite, so that nothing a worker does to it can hurt. One
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/crash.h"
#include "core/error.h"
#include "core/page.h"
#include "edge/unique_fd.h"

namespace hostler {

class PageFile {
 public:
  // In /run, XDG_RUNTIME_DIR or /dev/shm: what a host of ours has left, or else a new one in the first that is a tmpfs and
  // may be written to. Where somebody else has a file of its name, it gets a number.
  [[nodiscard]] static Result<PageFile> open(const std::string &state_dir);

  // A host before this one has had workers, and has not ended by itself: then the file would be gone.
  [[nodiscard]] bool is_left_over() const;
  // What such a host has left here, once: it is gone from the file then. Before the first
  // allocate(), when nobody can write into it any more.
  [[nodiscard]] std::vector<Page> take_former();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const std::string &path() const { return path_; }

  // Takes the file's name away, at the end of a host that has no workers any more. After a host that died it stays.
  void remove() const;

  // A page that nobody uses, empty but for the host's part; an error when the tmpfs is full.
  [[nodiscard]] Result<std::uint32_t> allocate(const HostPart &part = {});
  // Nobody maps it any more. What a crash has left in it goes back to the tmpfs.
  void release(std::uint32_t index);

  void write(std::uint32_t index, const HostPart &part);
  // As the worker left it, or an empty one when it cannot be read.
  [[nodiscard]] WorkerPart read(std::uint32_t index) const;
  // What a worker that died of this signal wrote down; nothing, when it did not come to that.
  [[nodiscard]] std::optional<CrashCapture> read_crash(std::uint32_t index, int signal) const;

 private:
  PageFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  void give_back_crash(std::uint32_t index) const;

  UniqueFd fd_;
  std::string path_;
  std::vector<std::uint32_t> free_;
  std::uint32_t next_ = 0;
  std::uint32_t room_ = 0;    // slots that the file is long enough for
  std::uint32_t former_ = 0;  // slots that a host before this one has used
};

}  // namespace hostler
