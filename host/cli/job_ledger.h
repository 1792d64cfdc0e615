// A job as the ledger has it, whether a host runs or not: what it was planned as, and the way to all that it has left.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/job_report.h"
#include "edge/ledger.h"

namespace hostler {

class JobLedger {
 public:
  // Read-only. An error when there is no such job.
  [[nodiscard]] static Result<JobLedger> open(const std::string &state_dir, const std::string &job);

  // Without its rows.
  [[nodiscard]] const StoredJob &job() const { return job_; }
  [[nodiscard]] Ledger &ledger() { return ledger_; }
  // How far it is, by its rows.
  [[nodiscard]] Result<JobProgress> progress();
  [[nodiscard]] Result<JobReport> report();

 private:
  JobLedger(Ledger ledger, StoredJob job) : ledger_(std::move(ledger)), job_(std::move(job)) {}
  Ledger ledger_;
  StoredJob job_;
};

// The words for a job that this ledger does not have.
[[nodiscard]] tl::unexpected<Error> no_such_job(Ledger &ledger, const std::string &state_dir, const std::string &job);

}  // namespace hostler
