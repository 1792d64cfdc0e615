// The build id that the linker writes into a program: another program has another one. Pure.
#pragma once

#include <string>
#include <string_view>

namespace hostler {

// As hex digits, from the bytes of a segment of notes (PT_NOTE); empty when it is not among them.
[[nodiscard]] std::string build_id_in(std::string_view notes);

}  // namespace hostler
