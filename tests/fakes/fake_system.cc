#include "fakes/fake_system.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include <fmt/format.h>

namespace hostler {

void FakeWorker::after(Duration delay, std::function<void()> action) {
  FakeSystem *const the_system = system;
  const WorkerId me = id;
  the_system->at(the_system->now() + delay, [this, the_system, me, action = std::move(action)] {
    if (the_system->find(me) == this && !gone) action();
  });
}

void FakeWorker::say(const WorkerMessage &message) {
  said.push_back(message);
  after(system->latency(), [this] { system->hear(*this); });
}

void FakeWorker::leave(WaitStatus status) {
  after(Duration{}, [this, status] { system->exited(*this, status); });
}

void FakeWorker::return_from_run(std::int32_t value) {
  page.stage = static_cast<std::uint32_t>(Stage::Returned);
  page.returned = value;
  leave({false, value & 0xff, false});
}

Script job_script(Duration each, std::function<SliceEnded(const Lease &, Interval slice)> verdict) {
  // One lease after the other, slice by slice; `step` is one slice.
  struct State {
    std::vector<Lease> leases;
    std::int64_t position = 0;
    bool dismissed = false;
    bool busy = false;
    bool no_room = false;  // ends the lease
  };
  auto states = std::make_shared<std::map<const FakeWorker *, State>>();
  auto step = std::make_shared<std::function<void(FakeWorker &)>>();
  *step = [states, each, verdict, weak = std::weak_ptr(step)](FakeWorker &worker) {
    State &state = (*states)[&worker];
    const auto again = weak.lock();
    if (state.leases.empty()) {
      state.busy = false;
      if (state.dismissed) worker.leave({false, 0, false});
      return;
    }
    const Lease lease = state.leases.front();
    if (std::exchange(state.no_room, false) || worker.stop != StopWord::GoOn || state.position == lease.end) {
      state.leases.erase(state.leases.begin());
      worker.say(LeaseEnded{lease.id, state.position});
      if (!state.leases.empty()) state.position = state.leases.front().begin;
      return (*again)(worker);
    }
    const std::int64_t end = std::min(lease.end, state.position + lease.slice_size);
    const Interval slice{state.position, lease.merge_input.empty() ? end : lease.end};
    worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker.page.begun = slice.begin;
    worker.after(each, [states, verdict, again, lease, slice, &worker] {
      SliceEnded ended = verdict(lease, slice);
      ended.lease = lease.id;
      ended.slice = slice;
      (*states)[&worker].position = slice.end;
      (*states)[&worker].no_room = ended.no_room;
      if (ended.returned == kCrash) return worker.system->exited(worker, {true, SIGSEGV, false});
      worker.page.stage = static_cast<std::uint32_t>(Stage::Idle);
      worker.say(ended);
      if (ended.returned != 0 && ended.returned != 65 && ended.returned != 75 && ended.returned != 85)
        return worker.return_from_run(ended.returned);
      (*again)(worker);
    });
  };
  Script script;
  script.on_lease = [states, step](FakeWorker &worker, const Lease &lease) {
    State &state = (*states)[&worker];
    state.leases.push_back(lease);
    if (state.busy) return;
    state.busy = true;
    state.position = lease.begin;
    (*step)(worker);
  };
  script.on_stop = [](FakeWorker &) {};
  script.on_dismiss = [states](FakeWorker &worker) {
    State &state = (*states)[&worker];
    state.dismissed = true;
    if (!state.busy) worker.leave({false, 0, false});
  };
  return script;
}

double FakeSystem::random() {
  random_state_ = random_state_ * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<double>(random_state_ >> 11) / 9007199254740992.0;
}

void FakeSystem::note(const std::string &what, const FakeWorker &worker, const std::string &more) {
  diary_.push_back(
      fmt::format("{} {}/{}{}{}", what, worker.request.name, worker.request.instance, more.empty() ? "" : " ", more));
}

void FakeSystem::spawn(WorkerId id, const SpawnRequest &request) {
  auto worker = std::make_unique<FakeWorker>();
  worker->system = this;
  worker->id = id;
  worker->request = request;
  worker->page.layout = kPageLayout;
  note("spawn", *worker);
  if (failing_spawns_ > 0) {
    --failing_spawns_;
    at(now_, [this, id] { events_->on_spawn_failed(id, Error{"fork", failing_words_, ""}); });
    return;
  }
  worker->pid = next_pid_++;
  FakeWorker *raw = worker.get();
  std::swap(workers_[id], worker);
  if (worker) of_former_hosts_.push_back(std::move(worker));
  raw->after(Duration{}, [this, raw] { events_->on_spawned(raw->id, raw->pid); });
}

void FakeSystem::start(WorkerId id, const Start &start) {
  FakeWorker &worker = *find(id);
  worker.start = start;
  worker.count = start.count;
  worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
  if (start.job) worker.page.stage = static_cast<std::uint32_t>(Stage::Idle);
  note("start", worker);
  worker.after(latency_, [this, &worker] { script_of(worker).on_start(worker); });
}

void FakeSystem::lease(WorkerId id, const Lease &lease) {
  FakeWorker &worker = *find(id);
  note("lease", worker, fmt::format("{}-{}", lease.begin, lease.end));
  worker.after(latency_, [this, &worker, lease] { script_of(worker).on_lease(worker, lease); });
}

void FakeSystem::checkpointed(WorkerId id, const Checkpointed &answer) {
  FakeWorker &worker = *find(id);
  note("checkpointed", worker,
       answer.error == 0 ? fmt::format("{}", answer.position) : fmt::format("error {}", answer.error));
  worker.after(latency_, [this, &worker, answer] { script_of(worker).on_checkpointed(worker, answer); });
}

void FakeSystem::ask_for_share(WorkerId worker) {
  FakeWorker &asked = *find(worker);
  ++asked.shares;
  note("share", asked);
}

void FakeSystem::set_count(WorkerId id, std::int32_t count) {
  find(id)->count = count;
}

void FakeSystem::stop(WorkerId id, StopWord word, int signal) {
  FakeWorker &worker = *find(id);
  worker.stop = std::max(worker.stop, word);
  const std::string_view said = word == StopWord::Drain ? "drain" : word == StopWord::Cancel ? "cancel" : "deadline";
  note("stop", worker, fmt::format("{}{}{}", said, signal == 0 ? "" : " ", signal == 0 ? "" : signal_name(signal)));
  if (signal == SIGABRT) {
    if (!script_of(worker).survives_abort) worker.leave({true, SIGABRT, false});
    return;
  }
  worker.after(Duration{}, [this, &worker] { script_of(worker).on_stop(worker); });
}

void FakeSystem::dismiss(WorkerId id) {
  FakeWorker &worker = *find(id);
  note("dismiss", worker);
  worker.after(latency_, [this, &worker] { script_of(worker).on_dismiss(worker); });
}

void FakeSystem::kill(WorkerId id) {
  FakeWorker &worker = *find(id);
  note("kill", worker);
  worker.leave({true, SIGKILL, false});
}

WorkerPart FakeSystem::page(WorkerId id) {
  return find(id)->page;
}

void FakeSystem::fail_spawns(int n, std::string words) {
  failing_spawns_ = n;
  failing_words_ = std::move(words);
}

void FakeSystem::at(TimePoint time, std::function<void()> action) {
  queue_.emplace(time, std::move(action));
}

void FakeSystem::run_for(Duration time) {
  const TimePoint end = now_ + time;
  for (;;) {
    const bool alarm_first = alarm_ && (queue_.empty() || *alarm_ < queue_.begin()->first);
    if (alarm_first && *alarm_ <= end) {
      now_ = std::max(now_, *alarm_);
      alarm_.reset();
      ++alarms_;
      events_->on_alarm();
    } else if (!alarm_first && !queue_.empty() && queue_.begin()->first <= end) {
      now_ = std::max(now_, queue_.begin()->first);
      const auto action = std::move(queue_.begin()->second);
      queue_.erase(queue_.begin());
      action();
    } else {
      break;
    }
  }
  now_ = end;
}

void FakeSystem::kill_from_outside(const std::string &entry, std::int32_t instance, int signal) {
  for (FakeWorker *worker : alive(entry))
    if (worker->request.instance == instance) exited(*worker, {true, signal, false});
}

void FakeSystem::investigate(WorkerId id, const std::string &entry, const std::string &report) {
  diary_.push_back("investigate " + entry);
  last_report_ = report;
  at(now_ + investigation_takes_, [this, id, found = backtrace_] { events_->on_backtrace(id, found); });
}

void FakeSystem::hear(FakeWorker &worker) {
  const WorkerMessage message = std::move(worker.said.front());
  worker.said.pop_front();
  events_->on_message(worker.id, message);
}

void FakeSystem::exited(FakeWorker &worker, WaitStatus status) {
  if (worker.gone) return;
  worker.gone = true;
  while (!worker.said.empty()) hear(worker);
  if (worker.crash) events_->on_crash(worker.id, *worker.crash);
  events_->on_exit(worker.id, status, worker.page);
}

std::vector<FakeWorker *> FakeSystem::alive(const std::string &entry) {
  std::vector<FakeWorker *> alive;
  for (const auto &[id, worker] : workers_)
    if (!worker->gone && worker->request.name == entry) alive.push_back(worker.get());
  return alive;
}

FakeWorker *FakeSystem::find(WorkerId worker) {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : found->second.get();
}

std::int64_t FakeSystem::count_in_diary(const std::string &line) const {
  return std::count(diary_.begin(), diary_.end(), line);
}

std::int64_t FakeSystem::resident(WorkerId worker) {
  const FakeWorker *found = find(worker);
  return found == nullptr ? 0 : found->resident;
}

}  // namespace hostler
