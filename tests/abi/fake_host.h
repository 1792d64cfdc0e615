// A host made by hand: hands out one slice and remembers what the plugin asked of it. Strict where the ABI has a rule.
// Not for several threads at once, except log, heartbeat and should_stop.
#pragma once

#include <hostler/plugin.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace abi_test {

/// A fresh folder, removed with everything in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir &) = delete;
  TempDir &operator=(const TempDir &) = delete;

  const std::string &path() const { return path_; }
  /// Writes a file and returns its path.
  std::string write(const std::string &name, const std::string &content) const;

 private:
  std::string path_;
};

std::string read_file(const std::string &path);

class FakeHost {
 public:
  FakeHost();
  ~FakeHost();
  FakeHost(const FakeHost &) = delete;
  FakeHost &operator=(const FakeHost &) = delete;

  /// What run() gets; change its fields before.
  hostler_slice_t *slice() { return &cell_.slice; }
  hostler_host_t *table() { return &table_.host; }

  /// A slice of a file.
  void set_file(int kind, const std::string &path, int64_t begin, int64_t end, int64_t unit = 1);
  void set_range(int kind, int64_t begin, int64_t end);
  void set_items(const std::vector<std::string> &items, int64_t begin = 0);

  /// Checkpoints are made, behind one another and within what is granted.
  void offer_checkpoints();

  /// Writes the stop word and makes stop_fd readable.
  void stop(int word);

  std::string output(const std::string &name) const { return read_file(dir_.path() + "/" + name); }
  int64_t claimed() const { return granted_; }

  // What the plugin finds.
  std::map<std::string, std::string> params;
  int64_t grant_end = INT64_MAX;  // claims are cut here
  int64_t instances = 1;
  int stop_at_claim = -1;  // the stop word comes with this claim, counted from 0
  int stop_word = HOSTLER_GO_ON;

  // What the plugin did.
  std::vector<std::pair<int64_t, int64_t>> claims;
  std::vector<int64_t> positions;
  std::map<std::string, int64_t> counters;
  std::vector<std::string> log;
  std::string result;
  std::string failure;
  std::vector<std::pair<int64_t, std::string>> checkpoints;
  int ready = 0;
  int heartbeats = 0;

 private:
  struct Cell {
    hostler_slice_t slice;
    char room[HOSTLER_STRUCT_ROOM];
    FakeHost *owner;
  };
  struct Table {
    hostler_host_t host;
    char room[HOSTLER_STRUCT_ROOM];
  };

  static FakeHost &of(const hostler_slice_t *slice) { return *reinterpret_cast<const Cell *>(slice)->owner; }
  static hostler_host_t make_table();
  static int64_t claim(const hostler_slice_t *slice, int64_t from, int64_t to);
  static int open_output(const hostler_slice_t *slice, const char *name);

  Cell cell_{};
  Table table_{};
  TempDir dir_;
  std::string path_;
  std::vector<std::string> item_texts_;
  std::vector<const char *> items_;
  std::map<std::string, int> outputs_;
  int64_t granted_ = 0;
  int stop_pipe_[2];
};

}  // namespace abi_test
