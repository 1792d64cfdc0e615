#include "command.h"

#include <sys/wait.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

namespace exec {
namespace {

constexpr std::string_view kPlaceholder = "{}";

/// The names that environment_for sets; what stands there from outside says nothing about this slice.
constexpr std::string_view kNames[] = {"HOSTLER_INDEX=", "HOSTLER_COUNT=", "HOSTLER_ATTEMPT=", "HOSTLER_WORKER=",
                                       "HOSTLER_PATH=",  "HOSTLER_BEGIN=", "HOSTLER_END=",     "HOSTLER_ITEM="};

bool is_ours(std::string_view variable) {
  for (std::string_view name : kNames) {
    if (variable.substr(0, name.size()) == name) return true;
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::string>> parse_command(std::string_view json) {
  const auto list = nlohmann::json::parse(json, nullptr, false);
  if (!list.is_array() || list.empty()) return std::nullopt;
  std::vector<std::string> words;
  for (const auto &word : list) {
    if (!word.is_string() && !word.is_number() && !word.is_boolean()) return std::nullopt;
    words.push_back(word.is_string() ? word.get<std::string>() : word.dump());
  }
  if (words.front().empty()) return std::nullopt;
  return words;
}

std::vector<std::string> fill_in(std::vector<std::string> words, std::string_view value) {
  for (std::string &word : words) {
    for (size_t at = word.find(kPlaceholder); at != std::string::npos;
         at = word.find(kPlaceholder, at + value.size())) {
      word.replace(at, kPlaceholder.size(), value);
    }
  }
  return words;
}

std::vector<std::string> environment_for(const hostler_slice_t &slice, std::optional<std::string_view> item,
                                         const char *const *inherited) {
  std::vector<std::string> variables;
  for (; *inherited != nullptr; inherited++) {
    if (!is_ours(*inherited)) variables.emplace_back(*inherited);
  }
  variables.push_back("HOSTLER_INDEX=" + std::to_string(slice.index));
  variables.push_back("HOSTLER_COUNT=" + std::to_string(slice.count));
  variables.push_back("HOSTLER_ATTEMPT=" + std::to_string(slice.attempt));
  variables.push_back(std::string("HOSTLER_WORKER=") + slice.worker);
  if (slice.path != nullptr) variables.push_back(std::string("HOSTLER_PATH=") + slice.path);
  if (slice.kind != HOSTLER_NONE) {
    variables.push_back("HOSTLER_BEGIN=" + std::to_string(slice.begin));
    variables.push_back("HOSTLER_END=" + std::to_string(slice.end));
  }
  if (item) variables.push_back("HOSTLER_ITEM=" + std::string(*item));
  return variables;
}

std::string describe_ending(int wait_status) {
  if (WIFEXITED(wait_status)) return "exited with code " + std::to_string(WEXITSTATUS(wait_status));
  const char *name = sigabbrev_np(WTERMSIG(wait_status));
  return "was killed by " +
         (name == nullptr ? "signal " + std::to_string(WTERMSIG(wait_status)) : std::string("SIG") + name);
}

}  // namespace exec
