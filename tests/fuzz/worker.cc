// Workers of a job and of a service that say whatever comes to their mind, with any page, and leave in any way: the
// supervisor stays, and the job of a neighbour that behaves ends right.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/page.h"
#include "fakes/fake_system.h"
#include "fakes/memory_store.h"
#include "fuzz.h"
#include "supervisor.h"

namespace hostler {
namespace {

using std::chrono::milliseconds;

constexpr int kMostActions = 200;

PreparedEntry service_entry(const std::string &name) {
  PreparedEntry entry;
  entry.config.name = name;
  entry.config.plugin = "/plugins/" + name + ".so";
  entry.config.count = 2;
  entry.build = {"b1", "/store/b1/" + name + ".so", name, "1.0", 0, 0, true, "1.0"};
  return entry;
}

PreparedEntry job_entry(const std::string &name) {
  constexpr std::int64_t kPositions = 200;
  PreparedEntry entry = service_entry(name);
  entry.config.input.kind = InputKind::Range;
  entry.config.input.end = kPositions;
  entry.config.output = "/out/" + name;
  entry.config.max_failed = {1000, 0};
  Input numbers;
  numbers.size = kPositions;
  entry.manifest = Manifest(InputKind::Range, {numbers}, 10, 1, 0, {}, entry.config.count);
  return entry;
}

// Small, near a limit, or anything.
std::int64_t number(Decisions &decisions) {
  switch (decisions.below(3)) {
    case 0: return decisions.below(250);
    case 1: return INT64_MAX - decisions.below(3);
    default: return decisions.take<std::int64_t>();
  }
}

SliceEnded slice_ended(Decisions &decisions, const Lease &lease) {
  SliceEnded ended;
  const auto flags = decisions.take<std::uint8_t>();
  ended.lease = (flags & 1U) == 0 ? lease.id : decisions.take<std::uint64_t>();
  ended.slice = {lease.begin, lease.begin + lease.slice_size};
  if ((flags & 2U) != 0) ended.slice = {number(decisions), number(decisions)};
  if (ended.slice.begin > ended.slice.end) std::swap(ended.slice.begin, ended.slice.end);  // as the decoder sees to
  ended.returned = (flags & 4U) == 0 ? 0 : static_cast<std::int32_t>(number(decisions));
  ended.claimed = (flags & 8U) != 0;
  ended.claimed_to = ended.claimed ? number(decisions) : 0;
  ended.refused = static_cast<StopWord>(decisions.below(4));
  ended.input_changed = (flags & 16U) != 0;
  ended.io_failed = (flags & 32U) != 0;
  ended.no_room = ended.io_failed && ended.claimed;
  ended.has_result = (flags & 64U) != 0;
  if (ended.has_result) ended.result = decisions.text(8);
  if ((flags & 128U) != 0) ended.counters[std::string(decisions.text(3)) + "c"] = number(decisions);
  return ended;
}

WorkerPart any_page(Decisions &decisions) {
  WorkerPart page;
  const std::string_view bytes = decisions.text(128);
  std::memcpy(reinterpret_cast<char *>(&page), bytes.data(), bytes.size());
  if (decisions.below(2) == 0) page.layout = kPageLayout;
  return page;
}

void act(Decisions &decisions, FakeWorker &worker, const Lease &lease) {
  switch (decisions.below(9)) {
    case 0: return worker.say(Loaded{});
    case 1: return worker.say(Ready{});
    case 2:
    case 3: return worker.say(slice_ended(decisions, lease));
    case 4: return worker.say(LeaseEnded{lease.id, lease.end});
    case 5: return worker.say(LeaseEnded{decisions.take<std::uint64_t>(), number(decisions)});
    case 6: worker.page = any_page(decisions); return;
    case 7: return worker.return_from_run(static_cast<std::int32_t>(number(decisions)));
    default: {
      const bool signaled = decisions.below(2) == 0;
      return worker.leave({signaled, static_cast<int>(decisions.below(signaled ? 65 : 256)), false});
    }
  }
}

struct Fleet {
  FakeSystem system;
  MemoryStore store{system};
  std::unique_ptr<Supervisor> supervisor = std::make_unique<Supervisor>(
      system, store, [](LogLevel, const std::string &) {}, store.load());
  std::map<WorkerId, Lease> leases;

  Fleet() {
    system.serve(*supervisor);
    Script wild;
    wild.on_start = [](FakeWorker &) {};
    wild.on_lease = [this](FakeWorker &worker, const Lease &lease) { leases[worker.id] = lease; };
    wild.on_stop = [](FakeWorker &worker) { worker.leave({true, 9, false}); };
    wild.on_dismiss = wild.on_stop;
    system.script("wild", wild);
    system.script("wild_job", wild);
    system.script("tame_job", job_script(milliseconds(1), [](const Lease &, Interval slice) {
                    SliceEnded ended;
                    ended.counters["positions"] = slice.end - slice.begin;
                    return ended;
                  }));
    Prepared prepared;
    prepared.entries = {service_entry("wild"), job_entry("wild_job"), job_entry("tame_job")};
    prepared.entries[2].build.has_merge = false;
    require(supervisor->apply(std::move(prepared), {}).has_value(), "the fleet starts");
  }
};

}  // namespace
}  // namespace hostler

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace hostler;
  Decisions decisions(text_of(data, size));
  Fleet fleet;
  for (int i = 0; i < kMostActions && !decisions.empty(); ++i) {
    fleet.system.run_for(milliseconds(decisions.below(8) * 50));
    const auto workers = fleet.system.alive(decisions.below(4) == 0 ? "wild" : "wild_job");
    if (workers.empty()) continue;
    FakeWorker &worker = *workers[decisions.below(static_cast<std::uint32_t>(workers.size()))];
    act(decisions, worker, fleet.leases[worker.id]);
    (void)fleet.supervisor->status();
  }
  fleet.system.run_for(std::chrono::seconds(60));
  for (const EntryStatus &entry : fleet.supervisor->status().entries)
    if (entry.name == "tame_job") require(entry.state == "succeeded", "the neighbour's job succeeds");
  require(fleet.store.job("tame_job").counters.at("positions") == 200, "and right");
  bool stopped = false;
  fleet.supervisor->stop([&] { stopped = true; });
  fleet.system.run_for(std::chrono::minutes(5));
  require(stopped, "the fleet stops");
  return 0;
}
