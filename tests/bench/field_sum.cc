// The same sum as sum_limit.c, as a plugin. Says on the board when it was loaded, which is right after GO, and when run()
// returned.
#include <hostler/plugin.hpp>

#include "board.h"
#include "field.h"

HOSTLER_PLUGIN("field_sum", "1.0.0", HOSTLER_SPLITTABLE);

namespace {

const std::uint64_t loaded_at = board_now();

void sum_field(hostler::Slice &slice) {
  std::int64_t sum = 0;
  for (const std::string_view line : slice.lines()) sum += field_of(line.data(), line.data() + line.size());
  slice.counter("sum", sum);
  board *board = board_open(slice->host->param(slice.get(), "board"));
  if (board == nullptr) return;
  board_earliest(&board->first_at, loaded_at);
  board_latest(&board->ended_at, board_now());
}

}  // namespace

HOSTLER_RUN(sum_field)
