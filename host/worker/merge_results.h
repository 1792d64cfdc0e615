// The cursor over a job's results that merge() is given: hostler_results_t over the file that the host wrote
// (core/merge_input.h), mapped. Main thread.
#pragma once

#include <hostler/plugin.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/merge_input.h"

namespace hostler {

class MergeResults {
 public:
  [[nodiscard]] static Result<std::unique_ptr<MergeResults>> open(const std::string &path);
  ~MergeResults();
  MergeResults(const MergeResults &) = delete;
  MergeResults &operator=(const MergeResults &) = delete;

  // Valid as long as this is.
  [[nodiscard]] hostler_results_t *table() { return &table_.value; }

 private:
  explicit MergeResults(std::string_view mapped);
  static MergeResults &of(hostler_results_t *results);
  static int next(hostler_results_t *results, hostler_range_t *out);
  static std::int64_t counter(hostler_results_t *results, const char *name);
  static int quarantined(hostler_results_t *results, hostler_range_t *out);

  // Zero-filled behind the struct, for functions that this host does not know.
  struct Table {
    hostler_results_t value{};
    unsigned char room[HOSTLER_STRUCT_ROOM] = {};
    MergeResults *self = nullptr;
  };
  Table table_;
  std::string_view mapped_;
  std::optional<MergeInputReader> reader_;
  MergeRange committed_;  // the last one given, which the plugin may still look at
  MergeRange quarantined_;
};

}  // namespace hostler
