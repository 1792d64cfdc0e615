// Text from outside that is to stand in a line of a log, a table or JSON. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hostler {

// The length in bytes of the UTF-8 character that the text begins with; 0 when it begins with none.
[[nodiscard]] std::size_t utf8_length(std::string_view text);
// UTF-8, without control characters.
[[nodiscard]] bool is_plain(std::string_view text);
// Each control character, line ends included, replaced by '?'.
[[nodiscard]] std::string in_one_line(std::string_view text);

}  // namespace hostler
