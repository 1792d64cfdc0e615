// Bytes for carriers that do not take all of them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace hostler {

// No byte out of place, nothing overlong, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view bytes);

// RFC 4648, with padding.
[[nodiscard]] std::string base64(std::string_view bytes);

// Two lower-case digits a byte; and back, as long as such digits come.
[[nodiscard]] std::string hex(std::string_view bytes);
[[nodiscard]] std::string from_hex(std::string_view text);

}  // namespace hostler
