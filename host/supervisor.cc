#include "supervisor.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/human_text.h"
#include "job_entry.h"

namespace hostler {
namespace {

// How long the end waits for a disk that takes nothing, once no worker is left.
constexpr Duration kLastDiskWait = std::chrono::seconds(5);

std::string_view halted_words(Halt halt) {
  switch (halt) {
    case Halt::None: break;
    case Halt::Stopped: return ", which an operator stopped";
    case Halt::Paused: return ", which is paused";
  }
  return "";
}

}  // namespace

Supervisor::Supervisor(System &system, JobStore &store, LogSink log, std::vector<StoredJob> stored,
                       std::map<std::string, Halt> halted)
    : system_(system),
      log_(std::move(log)),
      timers_([this](std::optional<TimePoint> earliest) { system_.set_alarm(earliest); }),
      settle_(timers_),
      around_{system, store, timers_, log_, 027,
              [this](Entry &entry) {
                owners_[++last_worker_] = &entry;
                return last_worker_;
              },
              nullptr, [this](const Entry &entry) { return others_are_idle(entry); },
              [this](CrashCase crash) { crashes_.open(std::move(crash)); },
              // Not at once: whoever reports a change is in the middle of it.
              [this] {
                if (!settle_.is_set()) settle_.set(system_.now(), [this] { settle(); });
              }},
      crashes_(system_, log_),
      halted_(std::move(halted)),
      disk_wait_(timers_) {
  for (StoredJob &job : stored) {
    const std::string name = job.name;
    stored_.emplace(name, std::move(job));
  }
}

Supervisor::~Supervisor() = default;

void Supervisor::stop(std::function<void()> stopped) {
  stopping_ = true;
  stopped_ = std::move(stopped);
  arrivals_.clear();
  for (auto *map : {&entries_, &retiring_})
    for (auto &[name, entry] : *map) entry->stop();
  around_.changed();
}

void Supervisor::stop_at_once(std::function<void()> stopped) {
  stop(std::move(stopped));
  waits_for_disk_ = false;
  for (auto *map : {&entries_, &retiring_})
    for (auto &[name, entry] : *map) entry->kill();
}

// Nobody but this job has something handed out.
bool Supervisor::others_are_idle(const Entry &entry) const {
  for (const auto *map : {&entries_, &retiring_})
    for (const auto &[name, other] : *map) {
      const auto *job = dynamic_cast<const JobEntry *>(other.get());
      if (job != nullptr && job != &entry && job->holds_leases()) return false;
    }
  return true;
}

void Supervisor::settle() {
  const auto *alone = dynamic_cast<const JobEntry *>(around_.alone);
  if (alone != nullptr && !alone->needs_solitude()) around_.alone = nullptr;
  sweep_retired();
  if (!stopping_) start_what_may();
  if (settled_) settled_();
  if (stopping_ && stopped_) end_when_quiet();
}

void Supervisor::end_when_quiet() {
  if (is_quiet() || (!waits_for_disk_ && !has_workers())) {
    disk_wait_.cancel();
    return std::exchange(stopped_, nullptr)();
  }
  if (has_workers() || disk_wait_.is_set()) return;
  disk_wait_.set(system_.now() + kLastDiskWait, [this] {
    waits_for_disk_ = false;
    around_.changed();
  });
}

void Supervisor::sweep_retired() {
  for (auto it = retiring_.begin(); it != retiring_.end();) {
    if (!it->second->is_quiet()) {
      ++it;
      continue;
    }
    const std::string name = it->first;
    if (const auto *job = dynamic_cast<const JobEntry *>(it->second.get())) {
      if (job->is_created()) stored_.insert_or_assign(name, job->stored());
      next_lease_[name] = job->next_lease();
    }
    it = retiring_.erase(it);
    if (auto arrival = arrivals_.extract(name); !arrival.empty()) arrive(name, std::move(arrival.mapped()));
  }
}

void Supervisor::start_what_may() {
  for (auto &[name, entry] : entries_) {
    if (entry->is_wanted() || halted_.contains(name)) continue;
    if (prerequisites_are_up(*entry)) entry->start();
  }
}

bool Supervisor::prerequisites_are_up(Entry &entry) const {
  for (const std::string &other : entry.config().depends_on) {
    const auto found = entries_.find(other);
    if (found != entries_.end() && found->second->is_up()) continue;
    const bool failed = found != entries_.end() && found->second->has_failed();
    if (failed)
      entry.set_blocked("depends on " + other + ", which has failed");
    else
      entry.set_waiting(fmt::format("waits for {}{}", other, halted_words(halt_of(other))));
    return false;
  }
  return true;
}

bool Supervisor::is_quiet() const {
  const auto quiet = [](const auto &item) { return item.second->is_quiet(); };
  return crashes_.empty() && std::all_of(entries_.begin(), entries_.end(), quiet) &&
         std::all_of(retiring_.begin(), retiring_.end(), quiet);
}

bool Supervisor::has_workers() const {
  const auto has = [](const auto &item) { return item.second->has_workers(); };
  return std::any_of(entries_.begin(), entries_.end(), has) || std::any_of(retiring_.begin(), retiring_.end(), has);
}

bool Supervisor::jobs_ended() const {
  bool any = false;
  if (!retiring_.empty() || !arrivals_.empty()) return false;
  for (const auto &[name, entry] : entries_) {
    const auto *job = dynamic_cast<const JobEntry *>(entry.get());
    if (job == nullptr) continue;
    any = true;
    if (!job->has_ended() && !(halt_of(name) == Halt::Stopped && job->is_quiet())) return false;
  }
  return any;
}

HostStatus Supervisor::status() const {
  HostStatus status;
  status.last_reload = last_reload_;
  status.last_reload_ok = last_reload_ok_;
  status.stopping = stopping_;
  status.waits_for = waits_for_;
  status.jobs_ended = jobs_ended();
  for (const std::string &name : order_)
    if (const auto found = entries_.find(name); found != entries_.end())
      status.entries.push_back(status_of(*found->second));
  for (const auto &[name, entry] : retiring_) {
    status.entries.push_back(entry->status());
    if (status.entries.back().reason.empty())
      status.entries.back().reason =
          arrivals_.contains(name) ? "makes place for its successor" : "removed from the file";
  }
  if (!waits_for_.empty())  // what was measured before says nothing now
    for (EntryStatus &entry : status.entries) {
      entry.rate = 0;
      entry.eta_seconds = -1;
    }
  return status;
}

std::string Supervisor::size_words() const {
  std::int64_t workers = 0;
  for (const auto &[name, entry] : entries_)
    if (halt_of(name) == Halt::None && entry->cannot_start().empty()) workers += entry->count();
  return fmt::format("{} of {}", counted(workers, "worker"), counted(std::ssize(entries_), "entry", "entries"));
}

Entry *Supervisor::owner(WorkerId worker) const {
  const auto found = owners_.find(worker);
  return found == owners_.end() ? nullptr : found->second;
}

void Supervisor::on_spawned(WorkerId worker, int pid) {
  if (Entry *entry = owner(worker)) entry->on_spawned(worker, pid);
}

void Supervisor::on_spawn_failed(WorkerId worker, const Error &error) {
  Entry *entry = owner(worker);
  owners_.erase(worker);
  if (entry != nullptr) entry->on_spawn_failed(worker, error);
}

void Supervisor::on_message(WorkerId worker, const WorkerMessage &message) {
  if (Entry *entry = owner(worker)) entry->on_message(worker, message);
}

void Supervisor::on_garbage(WorkerId worker, const Error &error) {
  if (Entry *entry = owner(worker)) entry->on_garbage(worker, error);
}

void Supervisor::on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) {
  Entry *entry = owner(worker);
  owners_.erase(worker);
  if (entry != nullptr) entry->on_exit(worker, status, page);
}

void Supervisor::on_crash(WorkerId worker, const Crash &crash) {
  if (Entry *entry = owner(worker)) entry->on_crash(worker, crash);
}

// The entry may be gone by now, or have been made anew; then only the log and the file tell.
void Supervisor::on_backtrace(WorkerId worker, const Backtrace &backtrace) {
  const auto explained = crashes_.close(worker, backtrace);
  if (explained)
    for (auto *map : {&entries_, &retiring_})
      if (const auto found = map->find(explained->crash.entry); found != map->end())
        found->second->on_explained(explained->crash, explained->site, backtrace);
  around_.changed();
}

void Supervisor::on_alarm() {
  timers_.run(system_.now());
}

}  // namespace hostler
