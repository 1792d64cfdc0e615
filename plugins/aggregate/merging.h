// Many sorted tables become one, in a single pass and in memory for their names only. Not for several threads at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "table.h"

namespace aggregate {

/// A file, mapped read-only.
class MappedFile {
 public:
  /// Throws hostler::Verdict.
  explicit MappedFile(const char *path);
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

/// Calls `take` with the rows of all tables, bytewise by key and each key once. False when a table is damaged, or a sum
/// too large.
bool merge_tables(const std::vector<std::string_view> &tables, bool with_values,
                  const std::function<void(const Row &)> &take);

}  // namespace aggregate
