#include "core/status_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/human_text.h"
#include "core/plain_text.h"
#include "core/plan.h"
#include "core/progress_text.h"

namespace hostler {
namespace {

std::string join(const std::string &first, const std::string &second) {
  return first.empty() || second.empty() ? first + second : first + "; " + second;
}

std::string build_words(const EntryStatus &entry) {
  std::string words = fmt::format("{} {}", entry.plugin, entry.version);
  if (entry.newer_build) words += fmt::format(" (new workers load build {})", entry.build);
  return words;
}

std::string held_words(const EntryStatus &entry) {
  if (entry.held.empty()) return "";
  return fmt::format("changed: {}; {} applies it", entry.held, ways_on(entry.name, entry.resumable));
}

std::vector<std::string> entry_row(const EntryStatus &entry) {
  const bool is_job = entry.kind == "job";
  const std::string progress = is_job ? progress_words(entry) : "";
  const std::string reason =
      is_job && entry.state == "waiting" ? "" : in_one_line(entry.reason);  // that is told with the progress
  return {
      entry.name, entry.kind, entry.state, "",
      "",         "",         "",          join(join(join(build_words(entry), progress), reason), held_words(entry))};
}

// "12 of 30", as its plugin counts; "12 done" when it has told no more.
std::string worker_progress(const WorkerStatus &worker) {
  if (worker.progress.total != 0) return fmt::format("{} of {}", worker.progress.done, worker.progress.total);
  return worker.progress.done == 0 ? "" : fmt::format("{} done", worker.progress.done);
}

std::vector<std::string> worker_row(const EntryStatus &entry, const WorkerStatus &worker,
                                    const std::map<std::int32_t, std::int64_t> &resident) {
  const auto memory = resident.find(worker.pid);
  const std::string &left = worker.last_exit.text;
  const std::string last = left.empty() || worker.note.ends_with(left) ? "" : "last: " + left;
  const std::string slice = worker.slice.empty() ? "" : "slice " + worker.slice;
  return {fmt::format("  {}/{}", entry.name, worker.instance),
          "",
          worker.state,
          worker.pid > 0 ? fmt::format("{}", worker.pid) : "-",
          worker.up_seconds > 0 ? human_seconds(worker.up_seconds) : "-",
          fmt::format("{}", worker.restarts),
          memory != resident.end() ? human_bytes(static_cast<double>(memory->second)) : "-",
          join(join(join(slice, worker_progress(worker)), worker.note), last)};
}

// "  … 4980 more", and how they are.
std::vector<std::string> more_row(const EntryStatus &entry) {
  std::string words;
  std::int64_t all = 0;
  for (const auto &[state, count] : entry.more) {
    words = join(words, fmt::format("{} {}", count, state));
    all += count;
  }
  return {fmt::format("  … {} more", all), "", "", "", "", "", "", words + " (--json shows all)"};
}

}  // namespace

void keep_shown(EntryStatus &entry) {
  constexpr std::size_t kAllShown = 40;
  constexpr std::size_t kMostShown = 20;
  if (entry.workers.size() <= kAllShown) return;
  const auto tells_more = [](const WorkerStatus &worker) {
    return worker.state != "running" || worker.restarts > 0 || !worker.note.empty();
  };
  const auto telling = static_cast<std::size_t>(std::count_if(entry.workers.begin(), entry.workers.end(), tells_more));
  std::size_t plain = kMostShown - std::min(telling, kMostShown);
  std::vector<WorkerStatus> shown;
  for (WorkerStatus &worker : entry.workers) {
    const bool tells = tells_more(worker);
    if (shown.size() == kMostShown || (!tells && plain == 0)) {
      ++entry.more[worker.state];
      continue;
    }
    if (!tells) --plain;
    shown.push_back(std::move(worker));
  }
  entry.workers = std::move(shown);
}

std::string status_text(const HostStatus &host, const std::map<std::int32_t, std::int64_t> &resident) {
  std::string text =
      fmt::format("hostler {} {} for {} (pid {}) with {}\n", host.version, host.stopping ? "is stopping, up" : "is up",
                  human_seconds(host.up_seconds), host.pid, host.config);
  if (!host.last_reload.empty()) text += fmt::format("last reload: {}\n", host.last_reload);
  if (!host.waits_for.empty()) text += fmt::format("jobs wait: {}\n", host.waits_for);
  if (host.entries.empty()) return text;
  Table table;
  table.add({"NAME", "KIND", "STATE", "PID", "UP", "RESTARTS", "MEMORY", ""});
  for (const auto &entry : host.entries) {
    table.add(entry_row(entry));
    for (const auto &worker : entry.workers) table.add(worker_row(entry, worker, resident));
    if (!entry.more.empty()) table.add(more_row(entry));
  }
  return text + "\n" + table.text();
}

}  // namespace hostler
