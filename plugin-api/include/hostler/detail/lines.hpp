// Slice::lines(). On the thread of run() only.
#pragma once

#include <hostler/detail/input.hpp>
#include <hostler/detail/newlines.hpp>

#include <iterator>

namespace hostler {

/// The lines that start in the slice, each without its '\n'. A view of them stays valid until run() returns.
class Lines {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;

    std::string_view operator*() const { return {start_, static_cast<size_t>(stop_ - start_)}; }
    Iterator &operator++() {
      advance();
      return *this;
    }
    void operator++(int) { advance(); }
    friend bool operator==(const Iterator &it, std::default_sentinel_t) { return it.start_ == nullptr; }

   private:
    friend class Lines;

    Iterator(Lines *lines, const char *first, const char *end)
        : lines_(lines), stop_(first - 1), limit_(first), end_(end), newlines_(first, end) {
      advance();
    }

    // Everything the loop needs is a local of the caller here; what happens once in a block or once in a slice is in
    // Lines.
    void advance() {
      start_ = stop_ + 1;
      if (start_ >= limit_) [[unlikely]] {
        limit_ = lines_->claim(start_);
        if (limit_ == nullptr) {
          start_ = nullptr;
          return;
        }
      }
      lines_->mark(start_);
      stop_ = newlines_.next();
      if (stop_ == end_) [[unlikely]] {
        const std::string_view last = lines_->last_line(start_);
        start_ = last.data();
        stop_ = start_ + last.size();
        limit_ = nullptr;
      }
    }

    Lines *lines_;
    const char *start_ = nullptr;
    const char *stop_;
    const char *limit_;
    const char *end_;
    detail::Newlines newlines_;
  };

  explicit Lines(detail::Input *input)
      : input_(input), slice_(input->slice()), window_(&input->window()), origin_(address(window_->data(0))) {}

  Iterator begin() {
    last_ = false;
    const int64_t first = input_->first_line(slice_->end);
    return {this, window_->data(first), window_->data(window_->end())};
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  static intptr_t address(const char *byte) { return reinterpret_cast<intptr_t>(byte); }

  void mark(const char *start) { slice_->host->at(slice_, address(start) - origin_); }

  /// Claims until the line at `start` is ours. Up to where lines may start, or null at the end.
  [[gnu::noinline]] const char *claim(const char *start) {
    const int64_t position = last_ ? slice_->end : window_->position(start);
    return input_->claims().cover_block(position) ? window_->data(input_->claims().granted()) : nullptr;
  }

  /// The line at `start` that the window does not see the end of; no other starts in the slice.
  [[gnu::noinline]] std::string_view last_line(const char *start) {
    last_ = true;
    const int64_t from = window_->position(start);
    const bool whole = window_->end() == window_->file_size();
    const detail::Mapping &source = whole ? *window_ : input_->rest();
    const std::string_view rest = source.view(from, source.end());
    return rest.substr(0, rest.find('\n'));
  }

  detail::Input *input_;
  const hostler_slice_t *slice_;
  const detail::Mapping *window_;
  intptr_t origin_;  // where position 0 would be mapped
  bool last_ = false;
};

}  // namespace hostler
