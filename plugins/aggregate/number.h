// Decimal numbers, kept exactly: a sum does not depend on the order in which it was added up. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aggregate {

/// A decimal number in units of 10^-9.
__extension__ typedef __int128 Number;  // NOLINT(modernize-use-using): -Wpedantic takes __extension__ here alone

/// What a column may hold: so much that a hundred thousand million of the largest still have a sum.
constexpr int kMostIntegerDigits = 18;
constexpr int kMostDecimals = 9;
/// What a sum may have.
constexpr int kMostSumDigits = 30;

/// False, and nothing is added, when the sum would be too large for a Number.
bool add(Number &sum, Number value);

/// "-12.50" or "+3" or ".5", with at most so many digits before the point. Nothing for any other text: no exponent, no
/// blanks, no separators of thousands.
std::optional<Number> parse_number(std::string_view text, int most_integer_digits = kMostIntegerDigits);

/// With as many decimals as it needs: "-12.5", "3".
void append_number(std::string &text, Number number);

}  // namespace aggregate
