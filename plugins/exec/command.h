// The command line of a program, from the entry's params. Pure; any thread.
#pragma once

#include <hostler/plugin.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace exec {

/// The words of a command given as a JSON list like ["sort", "-u"]; numbers stand for themselves. Nothing when it is
/// not a list of words, or an empty one.
std::optional<std::vector<std::string>> parse_command(std::string_view json);

/// The words with each {} replaced.
std::vector<std::string> fill_in(std::vector<std::string> words, std::string_view value);

/// `inherited` (strings of NAME=value) with HOSTLER_INDEX, _COUNT, _ATTEMPT, _WORKER and, as far as the slice has them,
/// _PATH, _BEGIN and _END. `item` becomes HOSTLER_ITEM.
std::vector<std::string> environment_for(const hostler_slice_t &slice, std::optional<std::string_view> item,
                                         const char *const *inherited);

/// How a program ended, from a wait status: "exited with code 3", "was killed by SIGSEGV".
std::string describe_ending(int wait_status);

}  // namespace exec
