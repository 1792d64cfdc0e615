// Ten thousand random histories of a job against an oracle (tests/model). What is found is shrunk and told as text with its
// seed; HOSTLER_HISTORY=SEED lives that one through again, HOSTLER_HISTORIES=N many more than are usual.
#include <gtest/gtest.h>

#include <cstdlib>

#include "model/world.h"

namespace hostler {
namespace {

constexpr std::uint64_t kParts = 10;
#ifdef HOSTLER_SANITIZED
constexpr std::uint64_t kHistories = 2500;  // each takes four times as long
#else
constexpr std::uint64_t kHistories = 10000;
#endif

std::uint64_t number_of(const char *variable, std::uint64_t otherwise) {
  const char *value = std::getenv(variable);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

void live_through(std::uint64_t seed) {
  const History history = random_history(seed);
  const std::string found = live(history);
  if (found.empty()) return;
  const Shrunk least = shrink(history, found);
  std::vector<std::string> said;
  (void)live(least.history, &said);
  std::string all;
  for (const std::string &line : said) all += line + "\n";
  FAIL() << "HOSTLER_HISTORY=" << seed << " finds: " << found << "\n"
         << text(history) << "the least that finds something: " << least.found << "\n"
         << text(least.history) << all;
}

class JobHistories : public testing::TestWithParam<std::uint64_t> {};

TEST_P(JobHistories, AgreeWithAnOracleOfSinglePositions) {
  if (const std::uint64_t seed = number_of("HOSTLER_HISTORY", 0); seed != 0) {
    if (GetParam() == 0) live_through(seed);
    return;
  }
  const std::uint64_t each = number_of("HOSTLER_HISTORIES", kHistories) / kParts;
  for (std::uint64_t seed = 1 + GetParam() * each; seed <= (GetParam() + 1) * each && !HasFatalFailure(); ++seed)
    live_through(seed);
}

INSTANTIATE_TEST_SUITE_P(Seeds, JobHistories, testing::Range<std::uint64_t>(0, kParts));

}  // namespace
}  // namespace hostler
