// What is durable about jobs, on one I/O thread: core/job_store for the host. All that has been asked while a
// transaction was under way goes into the next one (group commit). docs/design.md has the promise; job_disk.h the order
// of things.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/job_store.h"
#include "core/time.h"

namespace hostler {

class DurableJobStore final : public JobStore {
 public:
  // Has its argument called on the supervisor's thread, soon and in order. Called on the I/O thread.
  using Post = std::function<void(std::function<void()>)>;
  // Called on the supervisor's thread: trouble that is waited for, whenever it becomes another; empty when it is over.
  using Report = std::function<void(const std::string &trouble)>;

  // `jobs`: as the ledger has them, with all that a former host committed in its place, but for what is in to_place, and
  // the attempts at all else removed.
  // `problems`: jobs (`where`) whose committed files could not be moved; these slices stay committing. What the folder of
  // an ended job is still to be told, and cannot for now, is tried again like all that waits.
  struct Opened {
    std::unique_ptr<DurableJobStore> store;
    std::vector<StoredJob> jobs;
    std::vector<Error> problems;
    std::map<std::string, Halt> halted;  // entries that an operator has stopped or paused
  };
  // Blocks until all is rolled forward. The state folder must be there, be held by this host, and no worker of a former
  // one may be alive. What may pass is tried again every `retry`.
  [[nodiscard]] static Result<Opened> open(const std::string &ledger_path, const std::string &state_dir, Post post,
                                           Report report = {}, Duration retry = std::chrono::seconds(1));
  // Makes all that was asked durable, then ends the thread. What cannot be done by then ends with an error. Completions
  // are posted; it does not matter if they are no longer called.
  ~DurableJobStore() override;

  void commit(StoreBatch batch, Done done) override;
  void write_merge_input(const std::string &job, std::function<void(Result<std::string>)> done) override;
  void read_checkpoint(const std::string &job, std::int32_t input, std::int64_t begin,
                       std::function<void(Result<std::string>)> done) override;
  void check_outputs(const std::string &job, Done done) override;
  void check_inputs(std::vector<Input> inputs, Done done) override;
  void read_record(RecordQuery query, std::function<void(Result<FoundRecord>)> done) override;

 private:
  class Thread;
  explicit DurableJobStore(std::unique_ptr<Thread> thread);
  std::unique_ptr<Thread> thread_;
};

}  // namespace hostler
