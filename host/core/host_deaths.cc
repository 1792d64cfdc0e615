#include "core/host_deaths.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "core/encoding.h"
#include "core/exit_status.h"
#include "core/hash.h"

namespace hostler {
namespace {

constexpr std::int32_t kElsewhere = 1;
constexpr std::int32_t kSamePlace = 2;
constexpr std::int32_t kDangerous = 2 * kSamePlace;
constexpr std::int32_t kGuilty = 2;  // deaths alone
constexpr Duration kLeastQuiet = std::chrono::milliseconds(100);
constexpr Duration kMostQuiet = std::chrono::seconds(30);

bool was_in_work(const Page &page) {
  const auto stage = static_cast<Stage>(page.worker.stage);
  return page.host.layout == kPageLayout && page.worker.layout == kPageLayout && page.host.go == 1 &&
         (stage == Stage::Running || stage == Stage::Returned || stage == Stage::Checkpointing ||
          stage == Stage::Settling);
}

DiedIn death_of(const Manifest &plan, const SliceRow &row, const Page &page, TimePoint now) {
  const WorkerPart &worker = page.worker;
  const Interval whole{row.begin, row.end};
  const bool merge = worker.begun >= plan.positions();
  DiedIn death;
  death.begun = worker.begun;
  death.at = std::max(worker.at, worker.claimed_from);
  death.began = TimePoint(Duration{std::clamp<std::int64_t>(worker.begun_at, 0, now.time_since_epoch().count())});
  death.after = now - death.began;
  death.in_run = worker.stage == static_cast<std::uint32_t>(Stage::Running);
  death.range = range_of(plan, merge ? whole : plan.slice_at(worker.begun, whole).global);
  death.attempt = row.attempts + 1;
  death.worker = std::max(page.host.instance, -1);
  death.build = hex({page.host.build.data(), page.host.build.size()});
  death.reason =
      fmt::format("the host died {}{}", merge ? std::string(kInMerge) : "in slice " + place_name(death.range),
                  position_words(worker));
  return death;
}

}  // namespace

// Ids of jobs are random.
std::uint64_t page_mark(const std::string &job_id) {
  return fnv1a(job_id);
}

std::vector<DiedIn> died_in(const std::string &job_id, const Manifest &plan, const std::vector<SliceRow> &rows,
                            std::span<const Page> pages, TimePoint now) {
  std::vector<DiedIn> found;
  const std::uint64_t mark = page_mark(job_id);
  for (const Page &page : pages) {
    if (!was_in_work(page) || page.host.job != mark) continue;
    const std::int64_t begun = page.worker.begun;
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const SliceRow &each) {
      return each.state == SliceState::Leased && each.begin <= begun && begun < each.end;
    });
    const bool is_known =
        std::any_of(found.begin(), found.end(), [&](const DiedIn &each) { return each.begun == begun; });
    if (row != rows.end() && !is_known) found.push_back(death_of(plan, *row, page, now));
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
