// What merge() reads. On the thread of merge() only.
#pragma once

#include <hostler/detail/verdict.hpp>

#include <iterator>
#include <string_view>

namespace hostler {

/// A piece of the input and what became of it. Valid until its loop goes on.
class Range {
 public:
  explicit Range(const hostler_range_t &range) : range_(range) {}

  const hostler_range_t *operator->() const { return &range_; }

  /// What Slice::result was given.
  std::string_view result() const {
    return {static_cast<const char *>(range_.result), static_cast<size_t>(range_.result_size)};
  }

  /// The path of the file that Slice::output was asked for by this name; null when there is none.
  const char *file(std::string_view name) const {
    for (int64_t i = 0; i < range_.file_count; i++) {
      const std::string_view path = range_.files[i];
      if (path.substr(path.rfind('/') + 1) == name) return range_.files[i];
    }
    return nullptr;
  }

 private:
  hostler_range_t range_;
};

/// `for (hostler::Range range : results.committed())`. The host's cursor goes forward only: each can be walked once.
class Ranges {
 public:
  using Cursor = int (*)(hostler_results_t *, hostler_range_t *);

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Range;
    using difference_type = std::ptrdiff_t;

    Range operator*() const { return Range(range_); }
    Iterator &operator++() {
      range_ = {};
      range_.struct_size = sizeof(range_);
      if (detail::checked(cursor_(results_, &range_), "results") == 0) results_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator &it, std::default_sentinel_t) { return it.results_ == nullptr; }

   private:
    friend class Ranges;

    Iterator(hostler_results_t *results, Cursor cursor) : results_(results), cursor_(cursor) { ++*this; }

    hostler_results_t *results_;
    Cursor cursor_;
    hostler_range_t range_{};
  };

  Ranges(hostler_results_t *results, Cursor cursor) : results_(results), cursor_(cursor) {}

  Iterator begin() { return {results_, cursor_}; }
  std::default_sentinel_t end() const { return {}; }

 private:
  hostler_results_t *results_;
  Cursor cursor_;
};

/// Everything that the slices of a job left.
class Results {
 public:
  explicit Results(hostler_results_t *results) : results_(results) {}

  /// What is done, in the order of the input.
  Ranges committed() { return {results_, results_->next}; }

  /// What was given up, in the order of the input; `range->reason` says why. Empty unless the job is partial.
  Ranges quarantined() { return {results_, results_->quarantined}; }

  /// The total of a counter.
  int64_t counter(const char *name) { return results_->counter(results_, name); }

 private:
  hostler_results_t *results_;
};

}  // namespace hostler
