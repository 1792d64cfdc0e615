// Is the job that workers.yaml wants the one that the ledger has?
#include <algorithm>
#include <array>
#include <unordered_map>

#include <fmt/format.h>

#include "core/job.h"

namespace hostler {
namespace {

constexpr std::array<std::string_view, 6> kKinds = {"none", "range", "lines", "records", "files", "items"};
constexpr std::size_t kMaxInputsNamed = 5;

std::string_view kind_name(InputKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

template <typename T>
void compare(std::vector<std::string> &changes, std::string_view key, const T &was, const T &now) {
  if (was != now) changes.push_back(fmt::format("{} {} → {}", key, was, now));
}

std::string size_words(std::int64_t slice) {
  return slice == 0 ? "default" : fmt::format("{}", slice);
}

// What tells two looks at one path apart, or empty.
std::string difference(const Input &was, const Input &now) {
  if (was.size != now.size) return fmt::format("size {} → {}", was.size, now.size);
  if (was.mtime_ns != now.mtime_ns) return "time";
  if (was.inode != now.inode || was.device != now.device) return "another file";
  return {};
}

// Names the first few and counts the rest.
class InputChanges {
 public:
  void add(const std::string &path, std::string_view what) {
    if (words_.size() < kMaxInputsNamed) words_.push_back(fmt::format("input {} {}", path, what));
    ++count_;
  }
  void move_to(std::vector<std::string> &changes) {
    for (std::string &word : words_) changes.push_back(std::move(word));
    if (count_ > words_.size()) changes.push_back(fmt::format("{} more inputs changed", count_ - words_.size()));
  }

 private:
  std::vector<std::string> words_;
  std::size_t count_ = 0;
};

void compare_files(std::vector<std::string> &changes, const Manifest &planned, const Manifest &wanted) {
  std::unordered_map<std::string_view, const Input *> left;
  InputChanges inputs;
  for (const Input &input : wanted.inputs())
    if (input.size != kGone) left.emplace(input.path, &input);
  for (const Input &was : planned.inputs()) {
    const auto now = left.find(was.path);
    if (now == left.end()) {
      if (was.size != kGone) inputs.add(was.path, "is gone");
      continue;
    }
    const std::string what = difference(was, *now->second);
    if (was.size == kGone) {
      inputs.add(was.path, "is new");
    } else if (!what.empty()) {
      inputs.add(was.path, "changed (" + what + ")");
    }
    left.erase(now);
  }
  for (const Input &input : wanted.inputs())
    if (left.contains(input.path)) inputs.add(input.path, "is new");
  inputs.move_to(changes);
}

void compare_items(std::vector<std::string> &changes, const Manifest &planned, const Manifest &wanted) {
  const auto &was = planned.items();
  const auto &now = wanted.items();
  if (was.size() != now.size()) {
    changes.push_back(fmt::format("input.items {} → {} items", was.size(), now.size()));
    return;
  }
  const auto at = std::mismatch(was.begin(), was.end(), now.begin());
  if (at.first != was.end())
    changes.push_back(fmt::format("input.items[{}] \"{}\" → \"{}\"", at.first - was.begin(), *at.first, *at.second));
}

}  // namespace

std::vector<std::string> param_changes(const std::map<std::string, std::string> &was,
                                       const std::map<std::string, std::string> &now) {
  std::vector<std::string> changes;
  for (const auto &[key, value] : was) {
    const auto at = now.find(key);
    if (at == now.end()) {
      changes.push_back(fmt::format("params.{} is gone", key));
    } else {
      compare(changes, "params." + key, value, at->second);
    }
  }
  for (const auto &[key, value] : now)
    if (!was.contains(key)) changes.push_back(fmt::format("params.{} is new: {}", key, value));
  return changes;
}

std::vector<std::string> job_changes(const JobIdentity &was, const Manifest &planned, const JobIdentity &now,
                                     const Manifest &wanted) {
  std::vector<std::string> changes;
  compare(changes, "output", was.output, now.output);
  for (std::string &change : param_changes(was.params, now.params)) changes.push_back(std::move(change));
  if (was.input.kind != now.input.kind) {
    compare(changes, "input", kind_name(was.input.kind), kind_name(now.input.kind));
    return changes;
  }
  compare(changes, "input.slice", size_words(was.input.slice), size_words(now.input.slice));
  switch (now.input.kind) {
    case InputKind::None: break;
    case InputKind::Range:
      compare(changes, "input.range.begin", was.input.begin, now.input.begin);
      compare(changes, "input.range.end", was.input.end, now.input.end);
      break;
    case InputKind::Records:
      compare(changes, "input.records.size", was.input.record_size, now.input.record_size);
      compare_files(changes, planned, wanted);
      break;
    case InputKind::Lines:
    case InputKind::File: compare_files(changes, planned, wanted); break;
    case InputKind::Items: compare_items(changes, planned, wanted); break;
  }
  return changes;
}

}  // namespace hostler
