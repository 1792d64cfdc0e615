// Slice::records(), numbers() and items(). On the thread of run() only.
#pragma once

#include <hostler/detail/input.hpp>

#include <iterator>
#include <type_traits>

namespace hostler {
namespace detail {

/// Walks from `resume` to the end in steps of `step`. Derived says how to claim a position and what stands there.
template <class Source>
class Positions {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = typename Source::value_type;
    using difference_type = std::ptrdiff_t;

    value_type operator*() const { return source_->value(position_); }
    Iterator &operator++() {
      position_ += source_->step();
      source_ = source_->take(position_) ? source_ : nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    /// The position in the slice: the offset of a record, the number of an item.
    int64_t position() const { return position_; }
    /// … and of the next one.
    int64_t next_position() const { return position_ + source_->step(); }
    friend bool operator==(const Iterator &it, std::default_sentinel_t) { return it.source_ == nullptr; }

   private:
    friend class Positions;

    Iterator(Source *source, int64_t first) : source_(source->take(first) ? source : nullptr), position_(first) {}

    Source *source_;
    int64_t position_;
  };

  Iterator begin() {
    auto *source = static_cast<Source *>(this);
    return {source, source->slice()->resume};
  }
  std::default_sentinel_t end() const { return {}; }
};

}  // namespace detail

/// The integers of a RANGE slice. Each is claimed by itself.
class Numbers : public detail::Positions<Numbers> {
 public:
  using value_type = int64_t;

  explicit Numbers(detail::Input *input) : input_(input) {}

  const hostler_slice_t *slice() const { return input_->slice(); }
  int64_t step() const { return 1; }
  bool take(int64_t position) { return input_->claims().cover(position); }
  int64_t value(int64_t position) const { return position; }

 private:
  detail::Input *input_;
};

/// The strings of an ITEMS slice. Each is claimed by itself.
class Items : public detail::Positions<Items> {
 public:
  using value_type = std::string_view;

  explicit Items(detail::Input *input) : input_(input) {}

  const hostler_slice_t *slice() const { return input_->slice(); }
  int64_t step() const { return 1; }
  bool take(int64_t position) { return input_->claims().cover(position); }
  std::string_view value(int64_t position) const { return slice()->items[position - slice()->begin]; }

 private:
  detail::Input *input_;
};

/// The records of a RECORDS slice: copies of a T, or for std::string_view the bytes as they lie in the file.
template <class T>
class Records : public detail::Positions<Records<T>> {
  static_assert(std::is_trivially_copyable_v<T>, "a record is a copy of the bytes in the file");

 public:
  using value_type = T;

  explicit Records(detail::Input *input) : input_(input), unit_(input->slice()->unit), window_(&input->window()) {
    if constexpr (!std::is_same_v<T, std::string_view>) {
      if (unit_ != sizeof(T)) {
        throw Verdict(HOSTLER_BAD_CONFIG, "records of " + std::to_string(unit_) +
                                              " bytes are configured, the plugin's have " + std::to_string(sizeof(T)));
      }
    }
  }

  const hostler_slice_t *slice() const { return input_->slice(); }
  int64_t step() const { return unit_; }
  bool take(int64_t position) {
    if (!input_->claims().cover_block(position)) return false;
    slice()->host->at(slice(), position);
    return true;
  }
  T value(int64_t position) const {
    const std::string_view bytes = window_->view(position, position + unit_);
    if constexpr (std::is_same_v<T, std::string_view>) {
      return bytes;
    } else {
      T record;
      std::memcpy(&record, bytes.data(), sizeof(T));
      return record;
    }
  }

 private:
  detail::Input *input_;
  int64_t unit_;
  const detail::Mapping *window_;
};

}  // namespace hostler
