// The files that a plugin writes by output(): in a folder of the attempt's own, ATTEMPTS/INPUT-BEGIN.LEASE, which is made
// with the first of them. A plugin that closes their descriptors, as fclose() does, harms nobody. The plugin's thread only.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/segment.h"
#include "edge/unique_fd.h"

namespace hostler {

class AttemptFiles {
 public:
  explicit AttemptFiles(std::string attempts_dir) : attempts_dir_(std::move(attempts_dir)) {}

  // A new attempt, named once it has a file.
  struct Place {
    std::int32_t input = 0;
    std::int64_t begin = 0;
    std::uint64_t lease = 0;
    bool merge = false;
  };
  void begin(const Place &place);

  // The attempt goes on in the folder of a former one, with its files as they were committed: what they have grown since
  // is cut off, and other files go. An error that may not pass: a part of what was committed is not there.
  [[nodiscard]] Result<void> restore(const std::string &dir, const std::vector<OutputLength> &committed);

  // The descriptor of an append-only file, the same for the same name; or -errno.
  [[nodiscard]] int open(const char *name);

  // An error names a file that the plugin has removed, or put another one in the place of.
  [[nodiscard]] Result<void> check() const;

  // All that was written, and the names of the files, are on the disk when this returns. A file that once could not be
  // synced may have lost what was written to it: every further try fails likewise.
  [[nodiscard]] Result<void> sync();
  // The same, and how much of each file is on the disk for certain. Or an errno.
  [[nodiscard]] int sync_lengths(std::vector<OutputLength> &lengths);
  // A call above has met a full disk, or the end of a quota, since begin().
  [[nodiscard]] bool has_met_full_disk() const { return full_error_ != 0; }
  // The same, or there is hardly any room now: what the plugin's own writes have met nobody knows. Says where.
  [[nodiscard]] std::optional<Error> want_of_room();
  void close();

  [[nodiscard]] bool empty() const { return files_.empty(); }
  [[nodiscard]] const std::string &dir() const { return dir_; }  // empty without a file
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  struct File {
    std::string name;
    UniqueFd fd;
    dev_t device = 0;
    ino_t inode = 0;
    [[nodiscard]] bool is_open() const;  // and the number has not become another file's
  };
  [[nodiscard]] int open_file(const char *name);
  [[nodiscard]] int make_dir();
  [[nodiscard]] int open_again(File &file) const;
  [[nodiscard]] Result<void> restore_file(const OutputLength &committed);
  [[nodiscard]] Result<void> remove_others();
  [[nodiscard]] Result<void> sync_file(const File &file);
  [[nodiscard]] Result<void> sync_names();
  [[nodiscard]] Result<void> not_restored(const std::string &path, int error);
  [[nodiscard]] int ask_for_room() const;
  void met(int error);
  void drop_dir();

  std::string attempts_dir_;
  Place place_;
  std::string dir_;
  UniqueFd dir_fd_;
  std::vector<File> files_;
  std::size_t names_synced_ = 0;  // so many of them
  int sync_error_ = 0;            // an errno
  int full_error_ = 0;            // likewise: the disk is full, or a quota is used up
};

}  // namespace hostler
