#include "core/host_deaths.h"

#include <algorithm>

#include "core/hash.h"

namespace hostler {
namespace {

constexpr std::int32_t kElsewhere = 1;
constexpr std::int32_t kSamePlace = 2;
constexpr std::int32_t kDangerous = 2 * kSamePlace;
constexpr std::int32_t kGuilty = 2;  // deaths alone
constexpr Duration kLeastQuiet = std::chrono::milliseconds(100);
constexpr Duration kMostQuiet = std::chrono::seconds(30);

}  // namespace

// Ids of jobs are random.
std::uint64_t page_mark(const std::string &job_id) {
  return fnv1a(job_id);
}

std::vector<DiedIn> died_in(const std::string &job_id, const std::vector<SliceRow> &rows, std::span<const Page> pages,
                            TimePoint now) {
  std::vector<DiedIn> found;
  const std::uint64_t mark = page_mark(job_id);
  for (const Page &page : pages) {
    const WorkerPart &worker = page.worker;
    const bool was_running = page.host.layout == kPageLayout && worker.layout == kPageLayout && page.host.go == 1 &&
                             worker.stage == static_cast<std::uint32_t>(Stage::Running);
    if (!was_running || page.host.job != mark) continue;
    const bool was_handed_out = std::any_of(rows.begin(), rows.end(), [&](const SliceRow &row) {
      return row.state == SliceState::Leased && row.begin <= worker.begun && worker.begun < row.end;
    });
    const bool is_known =
        std::any_of(found.begin(), found.end(), [&](const DiedIn &each) { return each.begun == worker.begun; });
    if (!was_handed_out || is_known) continue;
    const Duration after =
        now.time_since_epoch() - Duration{std::clamp<std::int64_t>(worker.begun_at, 0, now.time_since_epoch().count())};
    found.push_back({worker.begun, std::max(worker.at, worker.claimed_from), after});
  }
  return found;
}

void add_death(Trouble &trouble, const DiedIn &death) {
  if (is_dangerous(trouble)) ++trouble.deaths_alone;
  const bool same = trouble.deaths == 0 || trouble.death_at == death.at;
  trouble.deaths += same ? kSamePlace : kElsewhere;
  trouble.death_at = death.at;
  trouble.death_after = death.after;
}

bool is_dangerous(const Trouble &trouble) {
  return trouble.deaths >= kDangerous;
}

Duration quiet_before(const Trouble &trouble) {
  return 4 * std::clamp(trouble.death_after, kLeastQuiet / 4, kMostQuiet / 4);
}

bool is_guilty(const Trouble &trouble) {
  return trouble.deaths_alone >= kGuilty;
}

void acquit(Trouble &trouble) {
  trouble.deaths = trouble.deaths_alone = 0;
  trouble.death_at = 0;
  trouble.death_after = {};
  trouble.waits = false;
}

}  // namespace hostler
