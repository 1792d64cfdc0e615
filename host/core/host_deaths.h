// Slices that kill the host: what a host that did not end by itself has left in the workers' pages tells the next one which
// slices were in work then: their attempts have a line in the account, which charges nobody. Nothing in a page is trusted.
// Pure.
//
// A slice that was running at two deaths of the host, each time at the same place, is tried by itself from then on, with
// no other slice of any job beside it, and after a while in which nothing is at work at all. When the host dies in that
// while, somebody else has killed it, and the slice is acquitted; so it is by an attempt that comes back. When it has died
// twice in the slice itself, the slice is quarantined. A death at another place than the one before counts half: the slice
// gets on.
//
// The while is four times as long as the slice had lasted when the host died. Whoever kills the host at random moments is
// then taken for the slice at most once in twelve times (x^4(1-x) has its maximum there), and twice once in 150, and only
// if that happens to a slice that has been hit twice before.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/page.h"
#include "core/slice_range.h"
#include "core/slice_table.h"
#include "core/time.h"
#include "core/trouble.h"

namespace hostler {

// A slice that was in work when the host died.
struct DiedIn {
  std::int64_t begun = 0;  // global position of the slice, or of the merge
  std::int64_t at = 0;     // local: how far it was
  Duration after{};        // how long it had run, at most
  bool in_run = true;      // … in the plugin's run(), which may be to blame
  // For its line in the account.
  SliceRange range{};
  std::int32_t attempt = 1;
  std::int32_t worker = -1;  // the instance, or -1
  std::string build{};       // the hash
  TimePoint began{};
  std::string reason{};
};

// What names a job in a page.
[[nodiscard]] std::uint64_t page_mark(const std::string &job_id);

// Of this job, whose rows are those of the ledger: what the pages say, as far as the ledger had it handed out.
[[nodiscard]] std::vector<DiedIn> died_in(const std::string &job_id, const Manifest &plan,
                                          const std::vector<SliceRow> &rows, std::span<const Page> pages,
                                          TimePoint now);

// One more death.
void add_death(Trouble &trouble, const DiedIn &death);
// It has to run alone, after nothing has been at work for so long.
[[nodiscard]] bool is_dangerous(const Trouble &trouble);
[[nodiscard]] Duration quiet_before(const Trouble &trouble);
// It has killed the host.
[[nodiscard]] bool is_guilty(const Trouble &trouble);
// The host has died, and it was not this slice. Nothing of its deaths is left, nor that it waits.
void acquit(Trouble &trouble);

}  // namespace hostler
