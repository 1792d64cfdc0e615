// From the text of a parameter to a value. Pure; any thread.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace hostler::detail {

template <class T>
constexpr std::string_view kind_of_value() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_floating_point_v<T>) return "a number";
  return "an integer in range";
}

/// The value that the whole text stands for; nothing when it is not one.
template <class T>
std::optional<T> parse_value(std::string_view text) {
  if constexpr (std::is_same_v<T, bool>) {
    for (std::string_view yes : {"true", "yes", "on", "1"}) {
      if (text == yes) return true;
    }
    for (std::string_view no : {"false", "no", "off", "0"}) {
      if (text == no) return false;
    }
    return std::nullopt;
  } else if constexpr (std::is_arithmetic_v<T>) {
    T value{};
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
  } else {
    static_assert(std::is_constructible_v<T, std::string_view>, "a parameter is a number, a bool or a string");
    return T(text);
  }
}

}  // namespace hostler::detail
