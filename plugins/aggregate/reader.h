// From a line to a row of the table. Pure but for the file's header; not for several threads at once.
#pragma once

#include <string>
#include <string_view>

#include "settings.h"
#include "table.h"

namespace aggregate {

/// Reads the lines of one file.
class Reader {
 public:
  /// Throws what Columns::find throws.
  Reader(const Settings &settings, const char *path)
      : columns_(Columns::find(settings, path)), fields_(settings.dialect), tabs_in_key_(may_hold_tabs(settings)) {}

  /// The row of a line, which lives until the next, or why there is none: then `wrong` is not empty.
  struct Result {
    Row row;
    std::string wrong;
  };
  Result read(std::string_view line);

 private:
  static bool may_hold_tabs(const Settings &settings) {
    return !settings.dialect.blanks && settings.dialect.delimiter != '\t';
  }

  std::string_view join_key();

  Columns columns_;
  Fields fields_;
  bool tabs_in_key_;
  std::string key_;  // several columns, with tabs between them
};

}  // namespace aggregate
