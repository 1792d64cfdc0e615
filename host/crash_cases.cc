#include "crash_cases.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace hostler {
namespace {

constexpr std::size_t kMostLines = 32;  // in the log; the file has them all

std::string report_text(const CrashCase &crash) {
  return fmt::format("{}: {}\n{} in {}\nplugin {}\nbuild {}\n", crash.who, crash.verdict, signal_words(crash.crash),
                     thread_words(crash.crash), crash.library, crash.build);
}

Backtrace plugin_part(Backtrace backtrace) {
  auto &frames = backtrace.frames;
  frames.erase(std::find_if(frames.begin(), frames.end(),
                            [](const Frame &frame) { return frame.function.starts_with("hostler_call_"); }),
               frames.end());
  return backtrace;
}

}  // namespace

std::vector<std::string> plugin_lines(const Backtrace &backtrace) {
  return lines(plugin_part(backtrace), kMostLines);
}

std::string with_site(const std::string &words, const std::string &site, const std::string &better) {
  const std::size_t at = site.empty() ? std::string::npos : words.rfind(site);
  return at == std::string::npos ? words : std::string(words).replace(at, site.size(), better);
}

void CrashCases::open(CrashCase crash) {
  const WorkerId worker = crash.worker;
  const std::string entry = crash.entry;
  const std::string report = report_text(crash);
  cases_.insert_or_assign(worker, std::move(crash));
  system_.investigate(worker, entry, report);
}

std::optional<CrashCases::Explained> CrashCases::close(WorkerId worker, const Backtrace &backtrace) {
  auto node = cases_.extract(worker);
  if (node.empty()) return std::nullopt;
  CrashCase &crash = node.mapped();
  std::string site = site_words(backtrace, crash.library.substr(0, crash.library.rfind('/')));
  if (site.empty()) site = crash.crash.site;
  log(crash, backtrace, site);
  return Explained{std::move(crash), std::move(site)};
}

void CrashCases::log(const CrashCase &crash, const Backtrace &backtrace, const std::string &site) const {
  if (backtrace.frames.empty() && backtrace.problem.empty()) return;
  const auto say = [&](const std::string &text) { log_(LogLevel::Warning, fmt::format("{}: {}", crash.who, text)); };
  const std::string report = backtrace.file.empty() ? "" : ", report " + backtrace.file;
  if (backtrace.repeated) return say(fmt::format("crash: again in {}{}", site, report));
  say(fmt::format("crash: {} in {}, build {}{}", signal_words(crash.crash), thread_words(crash.crash),
                  crash.build.substr(0, 12), report));
  for (const std::string &line : plugin_lines(backtrace)) say("  " + line);
  if (!backtrace.problem.empty()) say("crash: " + backtrace.problem);
}

}  // namespace hostler
