#include "edge/stack_limit.h"

#include <sys/resource.h>

#include <fmt/format.h>

#include "core/units.h"

namespace hostler {
namespace {

// The deepest that is taken, a configuration nested as far as its parser goes, takes a quarter of it in a debug build.
constexpr rlim_t kEnough = rlim_t{1} << 20;

}  // namespace

Result<void> check_stack_limit() {
  rlimit stack{};
  if (::getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur >= kEnough) return {};
  return fail("",
              fmt::format("the limit of the stack is {}, hostler needs {}",
                          format_size(static_cast<std::int64_t>(stack.rlim_cur)),
                          format_size(static_cast<std::int64_t>(kEnough))),
              "raise it: ulimit -s 8192, or LimitSTACK=8M under systemd");
}

}  // namespace hostler
