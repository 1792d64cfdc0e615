// What the entry's `params:` say, and which columns of a file that means. On the thread of run() or merge() only.
#pragma once

#include <hostler/plugin.hpp>

#include <optional>
#include <string>
#include <vector>

#include "fields.h"

namespace aggregate {

struct Settings {
  Dialect dialect;
  bool header = false;
  std::vector<std::string> key;  // as written: numbers from 1 on, or names
  std::optional<std::string> value;
  double checkpoint_seconds = 1;
};

/// Throws the verdict HOSTLER_BAD_CONFIG, with the parameter and what is expected.
Settings read_settings(const hostler::Slice &slice);

/// The columns of one file, counted from 0.
struct Columns {
  std::vector<size_t> key;
  std::optional<size_t> value;
  size_t count = 0;    // what each line has exactly, when the header says so; else the least it must have
  bool exact = false;  // `count` is the header's

  /// `path` is read only for its header. A name that is none of its columns is HOSTLER_BAD_CONFIG.
  static Columns find(const Settings &settings, const char *path);
};

/// The first line of a file, without the mark that some programs begin it with.
std::string_view without_byte_order_mark(std::string_view line);

}  // namespace aggregate
