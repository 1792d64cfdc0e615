#include "core/trouble.h"

#include <sstream>

#include <fmt/format.h>

namespace hostler {

Trouble Trouble::within(Interval part) const {
  Trouble own;
  for (const Interval &crash : crashes)
    if (crash.begin >= part.begin && crash.end <= part.end) own.crashes.push_back(crash);
  own.bisected = bisected;
  return own;
}

std::string encode(const Trouble &trouble) {
  std::string text;
  const auto add = [&text](const std::string &words) { text += (text.empty() ? "" : " ") + words; };
  for (const Interval &crash : trouble.crashes) add(fmt::format("crash {} {}", crash.begin, crash.end));
  if (trouble.bisected != 0) add(fmt::format("bisected {}", trouble.bisected));
  if (trouble.deaths != 0)
    add(fmt::format("deaths {} {} {} {}", trouble.deaths, trouble.death_at, trouble.death_after.count(),
                    trouble.deaths_alone));
  if (trouble.waits) add("waits");
  return text;
}

Trouble decode_trouble(std::string_view text) {
  Trouble trouble;
  if (text.empty()) return trouble;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (word == "crash") {
      Interval crash;
      if (words >> crash.begin >> crash.end) trouble.crashes.push_back(crash);
    } else if (word == "bisected") {
      words >> trouble.bisected;
    } else if (word == "deaths") {
      Duration::rep after = 0;
      words >> trouble.deaths >> trouble.death_at >> after >> trouble.deaths_alone;
      trouble.death_after = Duration{after};
    } else if (word == "waits") {
      trouble.waits = true;
    }
  }
  return trouble;
}

}  // namespace hostler
