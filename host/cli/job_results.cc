#include "cli/job_results.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace hostler {
namespace {

std::string list(const std::vector<std::string> &names) {
  std::string text;
  for (const auto &name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Result<Ledger> open_ledger(const std::string &state_dir) {
  const std::string path = state_dir + "/ledger.sqlite";
  if (::access(path.c_str(), F_OK) != 0) return fail(state_dir, "no job has been run with this state folder");
  return Ledger::open_read_only(path);
}

Result<StoredJob> load(Ledger &ledger, const std::string &state_dir, const std::string &job) {
  auto known = ledger.load_job(job);
  if (!known) return tl::unexpected<Error>(known.error());
  if (*known) return std::move(**known);
  const auto names = ledger.job_names();
  const bool some = names && !names->empty();
  return fail(state_dir, "no job " + job + " has been run here", some ? "there are: " + list(*names) : "");
}

}  // namespace

Result<StoredJob> stored_job(const std::string &state_dir, const std::string &job) {
  auto ledger = open_ledger(state_dir);
  if (!ledger) return tl::unexpected<Error>(ledger.error());
  return load(*ledger, state_dir, job);
}

Result<void> for_each_result(const std::string &state_dir, const std::string &job,
                             const std::function<void(const StoredResult &)> &take) {
  auto ledger = open_ledger(state_dir);
  if (!ledger) return tl::unexpected<Error>(ledger.error());
  if (const auto known = load(*ledger, state_dir, job); !known) return tl::unexpected<Error>(known.error());
  return ledger->for_each_result(job, [&](const StoredResult &result) -> Result<void> {
    take(result);
    return {};
  });
}

Result<std::optional<std::string>> merge_result(const std::string &state_dir, const std::string &job) {
  std::optional<std::string> found;
  auto read = for_each_result(state_dir, job, [&](const StoredResult &result) {
    if (result.place.merge && result.data) found = std::string(*result.data);
  });
  if (!read) return tl::unexpected<Error>(read.error());
  return found;
}

}  // namespace hostler
