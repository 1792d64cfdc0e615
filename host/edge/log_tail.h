// One log, line by line, from its oldest file (NAME.log.N) to its youngest (NAME.log), while the writer appends, rotates
// and opens anew. The file that is read is held open, so it may be renamed or removed: it is read to its end, and the
// next one is that which follows it in age. Blocking only on the disk; one thread.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/unique_fd.h"

namespace hostler {

class LogTail {
 public:
  explicit LogTail(std::string path) : path_(std::move(path)) {}

  // The next whole line, valid until take(); nothing: there is none yet.
  [[nodiscard]] std::optional<std::string_view> peek();
  void take();
  // How often the file that was read had been removed when it was at its end, and perhaps others after it.
  [[nodiscard]] int gaps() const { return gaps_; }

 private:
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileId &) const = default;
  };
  struct Named {
    std::string path;
    FileId id;
    timespec written_at{};
    bool operator==(const Named &other) const { return path == other.path && id == other.id; }
  };

  [[nodiscard]] bool read_more();
  [[nodiscard]] bool next_file();
  [[nodiscard]] std::vector<Named> files_once() const;
  [[nodiscard]] std::optional<std::vector<Named>> files() const;
  [[nodiscard]] std::optional<Named> next_of(const std::vector<Named> &files);
  void forget();

  std::string path_;
  UniqueFd fd_;
  FileId id_;
  UniqueFd following_;  // what comes after fd_, once that is read to its end
  FileId following_id_;
  FileId former_id_;  // what was read before fd_
  off_t offset_ = 0;  // of buffer_ in the file
  std::string buffer_;
  std::size_t begin_ = 0;     // of the first line not taken
  std::size_t searched_ = 0;  // up to here there is no '\n' behind begin_
  int gaps_ = 0;
};

}  // namespace hostler
