// Where in which configuration file a value stands: "workers.yaml:3:7: workers[0].count". Pure; the text is made only
// when there is an error to show.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/yaml_node.h"

namespace hostler {

// The file that is being read.
struct Source {
  std::string file;    // as the user reaches it, for messages
  std::string folder;  // absolute: what relative paths in it start from
};

// A link to the place around it, which must outlive it. Copies are cheap.
class Place {
 public:
  // The whole document.
  explicit Place(const Source &source) : source_(&source) {}
  // The member `key` of the map at this place, or the item `index` of its list.
  [[nodiscard]] Place member(std::string_view key) const { return {this, key, -1}; }
  [[nodiscard]] Place item(std::int64_t index) const { return {this, {}, index}; }
  // The marks below it count from a line that has `lines` above it.
  [[nodiscard]] Place below(int lines) const {
    Place place = *this;
    place.above_ += lines;
    return place;
  }

  [[nodiscard]] const Source &source() const { return *source_; }
  [[nodiscard]] std::string path() const;                   // "workers[0].input.lines"
  [[nodiscard]] std::string where(const Mark &mark) const;  // "FILE:LINE:COLUMN: KEY.PATH"
  [[nodiscard]] tl::unexpected<Error> refuse(const Mark &mark, std::string what, std::string hint = {}) const;
  // An error that does not know its place yet.
  [[nodiscard]] tl::unexpected<Error> refuse(const Mark &mark, Error error) const;

 private:
  Place(const Place *parent, std::string_view key, std::int64_t index)
      : source_(parent->source_), parent_(parent), key_(key), index_(index), above_(parent->above_) {}
  void append_path(std::string &to) const;
  const Source *source_;
  const Place *parent_ = nullptr;
  std::string_view key_;
  std::int64_t index_ = -1;
  int above_ = 0;
};

// Text of the user's for a message: in double quotes, cut when it is long, control characters shown as \xNN.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace hostler
