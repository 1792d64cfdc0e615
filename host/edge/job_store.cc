#include "edge/job_store.h"

#include <sys/stat.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "edge/job_disk.h"
#include "edge/record_file.h"

namespace hostler {
namespace {

struct CommitWork {
  BatchInWork batch;
  JobStore::Done done;
};
struct MergeInputWork {
  std::string job;
  std::function<void(Result<std::string>)> done;
};
struct CheckpointWork {
  std::string job;
  std::int32_t input = 0;
  std::int64_t begin = 0;
  std::function<void(Result<std::string>)> done;
};
struct OutputsWork {
  std::string job;
  JobStore::Done done;
};
struct CheckWork {
  std::vector<Input> inputs;
  JobStore::Done done;
};
struct RecordWork {
  RecordQuery query;
  std::function<void(Result<FoundRecord>)> done;
};
using Work = std::variant<CommitWork, MergeInputWork, CheckpointWork, OutputsWork, CheckWork, RecordWork>;

std::vector<BatchInWork *> batches_of(std::deque<CommitWork> &works) {
  std::vector<BatchInWork *> batches;
  batches.reserve(works.size());
  for (CommitWork &work : works) batches.push_back(&work.batch);
  return batches;
}

}  // namespace

namespace {

// An error names the first that is not as it was.
DiskResult<void> check_inputs_now(const std::vector<Input> &inputs) {
  const auto changed = [](std::string what) { return disk_refusal({{}, std::move(what), {}}); };
  for (const Input &input : inputs) {
    if (input.size == kGone || input.path.empty()) continue;
    struct stat now {};
    if (::stat(input.path.c_str(), &now) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return changed("input " + input.path + " is gone");
      return disk_failure("input " + input.path, "cannot be looked at");
    }
    const std::int64_t mtime_ns = now.st_mtim.tv_sec * std::int64_t{1'000'000'000} + now.st_mtim.tv_nsec;
    if (now.st_size != input.size) return changed("input " + input.path + " changed (size)");
    if (mtime_ns != input.mtime_ns) return changed("input " + input.path + " changed (time)");
    if (now.st_dev != input.device || now.st_ino != input.inode)
      return changed("input " + input.path + " changed (another file)");
  }
  return {};
}

}  // namespace

class DurableJobStore::Thread {
 public:
  Thread(JobDisk disk, std::vector<BatchInWork> to_follow, Post post, Report report, Duration retry)
      : disk_(std::move(disk)), post_(std::move(post)), report_(std::move(report)), retry_(retry) {
    for (BatchInWork &batch : to_follow) following_.push_back({std::move(batch), {}});
    thread_ = std::jthread([this] { run(); });
  }
  Thread(const Thread &) = delete;
  Thread &operator=(const Thread &) = delete;
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    arrived_.notify_one();
    thread_.join();
  }

  void add(Work work) {
    {
      const std::lock_guard lock(mutex_);
      inbox_.push_back(std::move(work));
    }
    arrived_.notify_one();
  }

 private:
  void run() {
    bool closing = false;
    while (!closing) {
      closing = receive();
      work_off();
    }
    give_up();
    disk_.close();
  }

  // Sleeps until there is something to do; true when there will be no more.
  bool receive() {
    std::unique_lock lock(mutex_);
    const auto something = [this] { return closing_ || !inbox_.empty(); };
    if (queue_.empty() && following_.empty()) {
      arrived_.wait(lock, something);
    } else {
      arrived_.wait_for(lock, retry_, something);
    }
    for (Work &work : inbox_) queue_.push_back(std::move(work));
    inbox_.clear();
    return closing_;
  }

  // In the order asked, until something stands in the way.
  void work_off() {
    std::optional<Error> trouble;
    while (!queue_.empty() && !trouble) {
      if (std::holds_alternative<CommitWork>(queue_.front())) {
        trouble = commit_front();
        continue;
      }
      const Work &work = queue_.front();
      if (const auto *merge = std::get_if<MergeInputWork>(&work))
        trouble = answer_unless_it_may_pass(merge->done, disk_.write_merge_input(merge->job));
      if (const auto *checkpoint = std::get_if<CheckpointWork>(&work))
        trouble = answer_unless_it_may_pass(
            checkpoint->done, disk_.read_checkpoint(checkpoint->job, checkpoint->input, checkpoint->begin));
      if (const auto *outputs = std::get_if<OutputsWork>(&work))
        trouble = answer_unless_it_may_pass(outputs->done, disk_.check_outputs(outputs->job));
      if (const auto *check = std::get_if<CheckWork>(&work))
        trouble = answer_unless_it_may_pass(check->done, check_inputs_now(check->inputs));
      if (const auto *record = std::get_if<RecordWork>(&work)) answer(record->done, find_record(record->query));
      if (!trouble) queue_.pop_front();
    }
    if (std::optional<Error> waits = follow_up()) trouble = waits;
    tell(trouble);
  }

  // All commits that stand at the front, as one transaction.
  std::optional<Error> commit_front() {
    std::deque<CommitWork> group;
    while (!queue_.empty() && std::holds_alternative<CommitWork>(queue_.front())) {
      group.push_back(std::move(std::get<CommitWork>(queue_.front())));
      queue_.pop_front();
    }
    if (std::optional<Error> trouble = disk_.commit(batches_of(group))) {
      for (; !group.empty(); group.pop_back()) queue_.emplace_front(std::move(group.back()));
      return trouble;
    }
    for (CommitWork &work : group) following_.push_back(std::move(work));
    // Trouble of a follow-up holds up nobody else.
    (void)follow_up();
    return std::nullopt;
  }

  std::optional<Error> follow_up() {
    if (following_.empty()) return std::nullopt;
    std::optional<Error> trouble = disk_.follow_up(batches_of(following_));
    std::deque<CommitWork> waiting;
    std::vector<std::pair<JobStore::Done, Result<void>>> answers;
    for (CommitWork &work : following_) {
      if (!work.batch.outcome) {
        waiting.push_back(std::move(work));
      } else if (work.done) {
        answers.emplace_back(std::move(work.done), std::move(*work.batch.outcome));
      }
    }
    following_ = std::move(waiting);
    if (!answers.empty())
      post_([answers = std::move(answers)] {
        for (const auto &[done, outcome] : answers) done(outcome);
      });
    return trouble;
  }

  template <typename Outcome>
  void answer(const std::function<void(Outcome)> &done, Outcome outcome) {
    if (done) post_([done, outcome = std::move(outcome)] { done(outcome); });
  }

  // The trouble that it has to wait for, or nothing: it has been answered.
  template <typename Value>
  std::optional<Error> answer_unless_it_may_pass(const std::function<void(Result<Value>)> &done,
                                                 DiskResult<Value> outcome) {
    if (!outcome && outcome.error().may_pass()) return outcome.error().error;
    answer(done, std::move(outcome).map_error([](const DiskError &error) { return error.error; }));
    return std::nullopt;
  }

  // Once when it begins or becomes another, once when it is over.
  void tell(const std::optional<Error> &trouble) {
    const std::string words = trouble ? trouble->text() : std::string();
    if (words == told_) return;
    told_ = words;
    if (report_) post_([report = report_, words] { report(words); });
  }

  // The end of the host, with trouble still standing.
  void give_up() {
    const Error reason{{}, "not done before the host stopped: " + told_, {}};
    for (CommitWork &work : following_) answer(work.done, Result<void>(tl::unexpected(reason)));
    for (Work &work : queue_)
      if (auto *commit = std::get_if<CommitWork>(&work)) answer(commit->done, Result<void>(tl::unexpected(reason)));
  }

  JobDisk disk_;  // the thread's alone, from its start on
  Post post_;
  Report report_;
  Duration retry_;
  std::deque<Work> queue_;            // not begun, in the order asked
  std::deque<CommitWork> following_;  // durable, and not yet followed up
  std::string told_;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Work> inbox_;
  bool closing_ = false;
  std::jthread thread_;
};

DurableJobStore::DurableJobStore(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
DurableJobStore::~DurableJobStore() = default;

Result<DurableJobStore::Opened> DurableJobStore::open(const std::string &ledger_path, const std::string &state_dir,
                                                      Post post, Report report, Duration retry) {
  JobDisk::Loaded loaded;
  Result<JobDisk> disk = JobDisk::open(ledger_path, state_dir, loaded);
  if (!disk) return tl::unexpected(disk.error());
  auto thread = std::make_unique<Thread>(std::move(*disk), std::move(loaded.to_follow), std::move(post),
                                         std::move(report), retry);
  Opened opened;
  opened.store.reset(new DurableJobStore(std::move(thread)));
  opened.jobs = std::move(loaded.jobs);
  opened.problems = std::move(loaded.problems);
  opened.halted = std::move(loaded.halted);
  return opened;
}

void DurableJobStore::commit(StoreBatch batch, Done done) {
  thread_->add(CommitWork{{std::move(batch), false, 0, std::nullopt}, std::move(done)});
}

void DurableJobStore::write_merge_input(const std::string &job, std::function<void(Result<std::string>)> done) {
  thread_->add(MergeInputWork{job, std::move(done)});
}

void DurableJobStore::read_checkpoint(const std::string &job, std::int32_t input, std::int64_t begin,
                                      std::function<void(Result<std::string>)> done) {
  thread_->add(CheckpointWork{job, input, begin, std::move(done)});
}

void DurableJobStore::check_outputs(const std::string &job, Done done) {
  thread_->add(OutputsWork{job, std::move(done)});
}

void DurableJobStore::check_inputs(std::vector<Input> inputs, Done done) {
  thread_->add(CheckWork{std::move(inputs), std::move(done)});
}

void DurableJobStore::read_record(RecordQuery query, std::function<void(Result<FoundRecord>)> done) {
  thread_->add(RecordWork{std::move(query), std::move(done)});
}

}  // namespace hostler
