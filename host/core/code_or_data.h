// Is it the code or the data that crashes? When attempts on several slices crash before any of them got past its first
// claim, and no slice was ever done, there is no point in trying every slice. Pure.
//
// Says so when at least max(5, count) attempts, on three slices or more, have crashed so with one build. Until a slice is
// done, or so many have crashed on too few slices, no more attempts may be at work than are left to that number: so a
// plugin that crashes everywhere costs no more attempts than that.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace hostler {

class CodeOrData {
 public:
  // What is known is of another build, or of before a person's start.
  void begin_anew(const std::string &build);
  [[nodiscard]] const std::string &build() const { return build_; }

  // A slice is done: whatever comes now is the data's.
  void done() { is_proven_ = true; }
  [[nodiscard]] bool is_proven() const { return is_proven_; }
  // An attempt at this slice (its place in the plan) crashed before it was past its first claim.
  void crashed(std::int64_t slice);

  // May one more attempt begin, when `at_work` have begun that are not past their first claim yet?
  [[nodiscard]] bool may_begin(std::int64_t at_work, std::int32_t count) const;
  // Is it worth while to ask?
  [[nodiscard]] bool is_suspicious() const { return !is_proven_ && crashes_ > 0; }
  // "the code, not the data: …", once it is so.
  [[nodiscard]] std::optional<std::string> verdict(std::int32_t count) const;

 private:
  std::string build_;
  bool is_proven_ = false;
  std::int64_t crashes_ = 0;
  std::set<std::int64_t> slices_;
};

}  // namespace hostler
