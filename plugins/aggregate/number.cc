#include "number.h"

#include <array>
#include <cstdint>

namespace aggregate {
namespace {

constexpr std::array<int64_t, kMostDecimals + 1> kPowersOfTen = [] {
  std::array<int64_t, kMostDecimals + 1> powers{1};
  for (size_t i = 1; i < powers.size(); i++) powers[i] = powers[i - 1] * 10;
  return powers;
}();
constexpr int64_t kOne = kPowersOfTen[kMostDecimals];

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

bool add(Number &sum, Number value) {
  Number total = 0;
  if (__builtin_add_overflow(sum, value, &total)) return false;
  sum = total;
  return true;
}

std::optional<Number> parse_number(std::string_view text, int most_integer_digits) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);

  const char *at = text.data();
  const char *const end = at + text.size();
  Number number = 0;
  const char *const first = at;
  while (at < end && is_digit(*at) && at - first <= most_integer_digits) number = number * 10 + (*at++ - '0');
  const auto integer_digits = at - first;
  if (integer_digits > most_integer_digits) return {};

  long decimals = 0;
  int64_t fraction = 0;
  if (at < end && *at == '.') {
    const char *const point = at++;
    while (at < end && is_digit(*at) && at - point <= kMostDecimals) fraction = fraction * 10 + (*at++ - '0');
    decimals = at - point - 1;
    fraction *= kPowersOfTen[static_cast<size_t>(kMostDecimals - decimals)];
  }
  if (at != end || integer_digits + decimals == 0) return {};
  if (__builtin_mul_overflow(number, kOne, &number)) return {};
  if (__builtin_add_overflow(number, fraction, &number)) return {};
  return negative ? -number : number;
}

void append_number(std::string &text, Number number) {
  __extension__ typedef unsigned __int128 Magnitude;  // NOLINT(modernize-use-using)
  Magnitude rest = static_cast<Magnitude>(number);
  if (number < 0) {
    text += '-';
    rest = -rest;
  }
  char digits[48];
  char *const end = digits + sizeof digits;
  char *at = end;
  int places = 0;  // digits of the fraction that are passed
  bool decimals = false;
  for (; places < kMostDecimals; places++, rest /= 10) {
    const int digit = static_cast<int>(rest % 10);
    decimals = decimals || digit != 0;
    if (decimals) *--at = static_cast<char>('0' + digit);
  }
  if (decimals) *--at = '.';
  do {
    *--at = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  text.append(at, end);
}

}  // namespace aggregate
