// The results of jobs as the ledger has them, whether a host runs or not.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "edge/ledger.h"

namespace hostler {

// What merge() left as the result of the job; nothing when it left none.
[[nodiscard]] Result<std::optional<std::string>> merge_result(const std::string &state_dir, const std::string &job);

// The job as the ledger has it. An error when there is none.
[[nodiscard]] Result<StoredJob> stored_job(const std::string &state_dir, const std::string &job);

// Every result in order, the merge's last. An error when there is no such job.
[[nodiscard]] Result<void> for_each_result(const std::string &state_dir, const std::string &job,
                                           const std::function<void(const StoredResult &)> &take);

}  // namespace hostler
