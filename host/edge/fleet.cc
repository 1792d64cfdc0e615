#include "edge/fleet.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/encoding.h"
#include "edge/fleet_worker.h"
#include "edge/last_question.h"
#include "edge/pidfd.h"
#include "edge/process_memory.h"

namespace hostler {
namespace {

// Of the descriptors that there may be workers leave so many to the rest: clients, the store, the ledger, logs, inspection.
constexpr std::size_t kReserve = 32;
constexpr std::size_t kOfAWorker = 3;    // channel, pidfd, output
constexpr std::size_t kWhileForked = 2;  // their other ends, until the template has them

std::string errno_words(const char *what) {
  return fmt::format("{}: {}", what, std::strerror(errno));
}

std::size_t count_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator numbers("/proc/self/fd", error);
  return error ? 0 : static_cast<std::size_t>(std::distance(begin(numbers), end(numbers)));
}

rlimit raise_open_files() {
  rlimit before{};
  if (::getrlimit(RLIMIT_NOFILE, &before) == 0) {
    const rlimit highest{before.rlim_max, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &highest);
  }
  return before;
}

}  // namespace

Result<std::unique_ptr<Fleet>> Fleet::create(EventLoop &loop, LogFiles &logs, FleetLock lock,
                                             const FleetOptions &options) {
  auto pages = PageFile::open(options.state_dir);
  if (!pages) return tl::unexpected(pages.error());
  if (pages->is_left_over()) lock.end_left_behind();
  UniqueFd binary(::open(options.binary.c_str(), O_RDONLY | O_CLOEXEC));
  if (!binary) return fail(options.binary, std::strerror(errno));
  return std::unique_ptr<Fleet>(
      new Fleet(loop, logs, std::move(lock), std::move(*pages), std::move(binary), options, raise_open_files()));
}

Fleet::Fleet(EventLoop &loop, LogFiles &logs, FleetLock lock, PageFile pages, UniqueFd binary,
             const FleetOptions &options, const rlimit &open_files)
    : loop_(loop),
      logs_(logs),
      lock_(std::move(lock)),
      pages_(std::move(pages)),
      former_pages_(pages_.take_former()),
      cgroups_(options.state_dir),
      binary_(std::move(binary)),
      alarm_(loop),
      random_(std::random_device{}()),
      descriptors_before_(count_descriptors()),
      strays_(loop, [this] { return known_children(); }),
      template_(
          loop, {binary_.get(), lock_.fd(), pages_.fd(), open_files, options.patience},
          [this](std::uint64_t id) { return prepare(id); },
          [this](std::uint64_t id, const Result<int> &pid) { on_forked(id, pid); }, [this] { strays_.end(); }),
      crashes_(loop, options.state_dir, find_symboliser(options.binary), options.few_reports_within) {
  template_.start_ahead();  // it takes its time beside ours, which goes to the ledger and to the plugins
}

Fleet::~Fleet() {
  for (const auto &[id, worker] : workers_) kill_group(*worker);
  template_.end();
  strays_.end();
  for (const auto &[id, worker] : workers_) {
    if (!worker->pidfd || worker->status) continue;
    (void)wait_for_death(worker->pidfd, std::chrono::seconds(10));
    (void)reap(worker->pidfd);
  }
  workers_.clear();
  strays_.end_all();
  lock_.end_holders();  // what plugins have forked, and what is no child of ours
  pages_.remove();      // under the lock still: the next host opens its own after it has that
}

TimePoint Fleet::now() {
  return EventLoop::now();
}

double Fleet::random() {
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

void Fleet::set_alarm(std::optional<TimePoint> at) {
  ++alarm_number_;
  alarm_.cancel();
  if (!at) return;
  if (*at > now()) return alarm_.set(*at, [this] { events_->on_alarm(); });
  // Due already, as after most events: a timer would be three system calls.
  loop_.post([this, alive = std::weak_ptr(alive_), number = alarm_number_] {
    if (!alive.expired() && number == alarm_number_) events_->on_alarm();
  });
}

Fleet::Worker *Fleet::find(WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

void Fleet::spawn(WorkerId id, const SpawnRequest &request) {
  auto worker = std::make_unique<Worker>();
  worker->id = id;
  worker->entry = request.name;
  worker->instance = request.instance;
  worker->host_part.layout = kPageLayout;
  worker->host_part.count = request.count;
  worker->host_part.instance = request.instance;
  workers_[id] = std::move(worker);
  template_.spawn(id);
}

Result<void> Fleet::check_descriptors() const {
  rlimit limit{};
  const std::size_t wanted = descriptors_before_ + (prepared_ + 1) * kOfAWorker + kWhileForked + kReserve;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || wanted <= limit.rlim_cur) return {};
  return fail({},
              fmt::format("no descriptor for the worker: {} ({} are allowed, {} kept for the host itself)",
                          std::strerror(EMFILE), limit.rlim_cur, kReserve),
              "raise the limit of open files: `ulimit -n`");
}

// Its turn has come.
Result<TemplateProcess::Order> Fleet::prepare(WorkerId id) {
  Worker *worker = find(id);
  if (worker == nullptr) return fail({}, "no longer wanted");
  if (auto enough = check_descriptors(); !enough) return tl::unexpected(enough.error());
  std::array<int, 2> channel{};
  std::array<int, 2> log{};
  TemplateProcess::Order order;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel.data()) != 0)
    return fail({}, errno_words("no socket for the worker"));
  worker->channel.reset(channel[0]);
  worker->sender.emplace(loop_, channel[0]);
  order.channel.reset(channel[1]);
  if (::pipe2(log.data(), O_CLOEXEC) != 0) return fail({}, errno_words("no pipe for the worker's output"));
  worker->output = std::make_shared<UniqueFd>(log[0]);
  order.log.reset(log[1]);
  const auto page = pages_.allocate(worker->host_part);
  if (!page) return tl::unexpected(page.error());
  worker->page = *page;
  ++prepared_;
  order.page = *page;
  order.title = fmt::format("hostler: {} {}/{}", worker->entry, worker->instance, worker->host_part.count);
  return order;
}

void Fleet::release_page(const Worker &worker) {
  pages_.release(*worker.page);
  --prepared_;
}

void Fleet::fail_spawn(WorkerId id, const Error &error) {
  const Worker *worker = find(id);
  if (worker == nullptr) return;
  if (worker->page) release_page(*worker);
  workers_.erase(id);
  events_->on_spawn_failed(id, error);
}

void Fleet::on_forked(WorkerId id, const Result<int> &pid) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  if (!pid) return fail_spawn(id, pid.error());
  ++births_;
  ++heard_;
  worker->pid = *pid;
  // It is our child and not reaped, so the number is its own even if it has died already.
  worker->pidfd = open_pidfd(*pid);
  if (!worker->pidfd) {
    const Error error{{}, errno_words("no descriptor for the worker"), {}};
    kill_group(*worker);
    ::waitpid(*pid, nullptr, 0);  // it is in the kernel's hands: no long wait
    return fail_spawn(id, error);
  }
  worker->channel_watch = loop_.watch(worker->channel.get(), EventLoop::Ready::Read, [this, id] { on_channel(id); });
  worker->death_watch = loop_.watch(worker->pidfd.get(), EventLoop::Ready::Read, [this, id] { on_death(id); });
  if (worker->kill_at_birth) kill_group(*worker);
  events_->on_spawned(id, *pid);
  // Only now: waking the log's thread would hold up the worker, which waits to be told to go.
  if ((worker = find(id)) != nullptr) logs_.add(worker->output, worker->entry, worker->instance, *pid);
}

void Fleet::write_page(const Worker &worker) {
  if (worker.page) pages_.write(*worker.page, worker.host_part);
}

void Fleet::start(WorkerId id, const Start &start) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->is_job = start.job;
  if (start.user) worker->user = {start.user->uid, start.user->gid};
  worker->host_part.go = 1;
  worker->host_part.job = start.job ? page_mark(start.job_id) : 0;
  worker->host_part.count = start.count;
  // STORE/HASH/NAME.so
  const std::string hash = from_hex(std::filesystem::path(start.library).parent_path().filename().string());
  std::copy_n(hash.begin(), std::min(hash.size(), worker->host_part.build.size()), worker->host_part.build.begin());
  Result<void> confined;
  if (start.limits.group) confined = confine(*worker, start.limits);
  write_page(*worker);
  if (confined) return worker->sender->send(encode(start));
  Start refused = start;
  refused.trouble = "limits: " + confined.error().text();
  worker->sender->send(encode(refused));
}

// It waits for GO still, and has started nothing.
Result<void> Fleet::confine(Worker &worker, const Limits &limits) {
  auto cgroup = cgroups_.add(fmt::format("{}-{}.{}", worker.entry, worker.instance, worker.id), limits, worker.pid);
  if (!cgroup) return tl::unexpected(cgroup.error());
  worker.cgroup = std::move(*cgroup);
  worker.memory_limit = limits.memory;
  return {};
}

void Fleet::lease(WorkerId id, const Lease &lease) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  // If that fails, the worker finds that it cannot read it.
  if (worker->user && !lease.merge_input.empty() &&
      ::lchown(lease.merge_input.c_str(), worker->user->uid, worker->user->gid) != 0)
    errno = 0;
  worker->sender->send(encode(lease));
}

void Fleet::checkpointed(WorkerId id, const Checkpointed &answer) {
  Worker *worker = find(id);
  if (worker != nullptr && worker->sender) worker->sender->send(encode(answer));
}

void Fleet::ask_for_share(WorkerId id) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  ++worker->host_part.share;
  write_page(*worker);
}

void Fleet::set_count(WorkerId id, std::int32_t count) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->host_part.count = count;
  write_page(*worker);
}

void Fleet::stop(WorkerId id, StopWord word, int signal) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->host_part.stop = std::max(worker->host_part.stop, static_cast<std::uint32_t>(word));
  write_page(*worker);
  // One that is not forked yet looks at its page before it runs anything.
  if (signal == 0 || !worker->pidfd) return;
  send_signal(worker->pidfd, signal == SIGABRT ? last_question_for(worker->pid) : signal);
  send_signal(worker->pidfd, SIGCONT);  // one that is suspended would not hear it
}

void Fleet::dismiss(WorkerId id) {
  Worker *worker = find(id);
  if (worker != nullptr && worker->sender) worker->sender->send(encode(Dismissed{}));
}

void Fleet::kill(WorkerId id) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->kill_at_birth = worker->pid == 0;
  kill_group(*worker);
}

WorkerPart Fleet::page(WorkerId id) {
  const Worker *worker = find(id);
  return worker == nullptr || !worker->page ? WorkerPart{} : pages_.read(*worker->page);
}

std::int64_t Fleet::resident(WorkerId id) {
  const Worker *worker = find(id);
  if (worker == nullptr || worker->pid == 0 || worker->status) return 0;
  return resident_bytes(worker->pid);
}

// A plugin may start background jobs by the hundred, each a zombie until it is reaped. In a group that is neither its own nor
// ours is no template and no worker that has not run its plugin yet; what is no worker that we know either is no worker.
void Fleet::on_child_signal(pid_t pid) {
  strays_.end_soon();  // several signals may have become one
  const pid_t group = ::getpgid(pid);
  if (group <= 0 || group == pid || group == ::getpgrp()) return;
  if (std::ranges::none_of(workers_, [&](const auto &each) { return each.second->pid == pid; })) strays_.take_dead(pid);
}

// As long as the worker is not reaped, both numbers are its own. It may not be the leader of its group yet.
void Fleet::kill_group(const Worker &worker) {
  if (worker.pid == 0) return;
  if (worker.cgroup) worker.cgroup->kill();
  if (worker.status) return;
  ::kill(-worker.pid, SIGKILL);
  ::kill(worker.pid, SIGKILL);
}

void Fleet::investigate(WorkerId id, const std::string &entry, const std::string &report) {
  crashes_.investigate(id, entry, report, [this, alive = std::weak_ptr(alive_)](WorkerId worker, const auto &found) {
    if (!alive.expired()) events_->on_backtrace(worker, found);
  });
}

std::optional<Strays::Known> Fleet::known_children() const {
  if (template_.is_forking()) return std::nullopt;  // it may have forked what we have not heard of
  Strays::Known known{{template_.pid(), crashes_.symboliser_pid()}, {}};
  for (const auto &[id, worker] : workers_) {
    if (!worker->status) known.children.insert(worker->pid);
    if (!worker->is_dead) known.groups.insert(worker->pid);
  }
  return known;
}

}  // namespace hostler
