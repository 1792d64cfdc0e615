#include "symbolise/source_names.h"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace hostler {
namespace {

struct Free {
  void operator()(void *memory) const { std::free(memory); }
};

struct Source {
  std::string file;
  std::int32_t line = 0;
};

// A name in C stands for itself: read as one of C++, "f" would be the type float.
std::string readable(const char *symbol) {
  if (symbol == nullptr) return {};
  if (std::string_view(symbol).substr(0, 2) != "_Z") return symbol;
  int failed = 0;
  const std::unique_ptr<char, Free> words(abi::__cxa_demangle(symbol, nullptr, nullptr, &failed));
  return words ? words.get() : symbol;
}

// The whole name, with namespace and parameters, where the compiler has left it.
std::string function_name(Dwarf_Die *function) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name})
    if (dwarf_attr_integrate(function, name, &attribute) != nullptr)
      if (const char *symbol = dwarf_formstring(&attribute)) return readable(symbol);
  const char *name = dwarf_diename(function);
  return name == nullptr ? "" : name;
}

// Debug information may name a file by how it was called when it was compiled, and say where that was.
std::string full_path(Dwarf_Die *unit, const char *file) {
  Dwarf_Attribute attribute;
  const char *folder = *file == '/' ? nullptr : dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
  return folder == nullptr ? file : (std::filesystem::path(folder) / file).lexically_normal().string();
}

Source source_at(Dwarf_Die *unit, Dwarf_Addr address) {
  Source source;
  Dwarf_Line *line = dwarf_getsrc_die(unit, address);
  if (line == nullptr) return source;
  if (const char *file = dwarf_linesrc(line, nullptr, nullptr)) source.file = full_path(unit, file);
  dwarf_lineno(line, &source.line);
  return source;
}

// Where an inlined function was called.
Source call_of(Dwarf_Die *unit, Dwarf_Die *inlined) {
  Source source;
  Dwarf_Attribute attribute;
  Dwarf_Word number = 0;
  if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &number) == 0)
    source.line = static_cast<std::int32_t>(number);
  Dwarf_Files *files = nullptr;
  std::size_t count = 0;
  if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &number) == 0 &&
      dwarf_getsrcfiles(unit, &files, &count) == 0 && number < count)
    if (const char *file = dwarf_filesrc(files, number, nullptr, nullptr)) source.file = full_path(unit, file);
  return source;
}

// Not every compiler writes the table that says which unit an address belongs to.
Dwarf_Die *unit_of(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr &bias) {
  if (Dwarf_Die *unit = dwfl_module_addrdie(module, address, &bias)) return unit;
  Dwarf_Die *unit = nullptr;
  while ((unit = dwfl_module_nextcu(module, unit, &bias)) != nullptr)
    if (dwarf_haspc(unit, address - bias) == 1) return unit;
  return nullptr;
}

// The functions inlined at the address and the one they are in; nothing without debug information.
void add_functions(Dwfl_Module *module, Dwarf_Addr address, const Frame &place, std::vector<Frame> &frames) {
  Dwarf_Addr bias = 0;
  Dwarf_Die *unit = unit_of(module, address, bias);
  if (unit == nullptr) return;
  Source source = source_at(unit, address - bias);
  Dwarf_Die *inner = nullptr;
  Dwarf_Die *nest = nullptr;
  const int found = dwarf_getscopes(unit, address - bias, &inner);
  const std::unique_ptr<Dwarf_Die, Free> inner_owner(inner);
  const int depth = found <= 0 ? 0 : dwarf_getscopes_die(&inner[0], &nest);
  const std::unique_ptr<Dwarf_Die, Free> nest_owner(nest);
  for (int i = 0; i < depth; ++i) {
    const int tag = dwarf_tag(&nest[i]);
    if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram) continue;
    Frame frame = place;
    frame.function = function_name(&nest[i]);
    frame.file = source.file;
    frame.line = source.line;
    frame.inlined = tag == DW_TAG_inlined_subroutine;
    frames.push_back(std::move(frame));
    if (tag == DW_TAG_subprogram) return;
    source = call_of(unit, &nest[i]);
  }
  if (!frames.empty() || source.file.empty()) return;
  Frame frame = place;
  frame.file = source.file;
  frame.line = source.line;
  frames.push_back(std::move(frame));
}

}  // namespace

std::vector<Frame> name_frames(Dwfl *dwfl, std::uint64_t address, bool after_call) {
  Frame place;
  place.address = address;
  Dwfl_Module *module = dwfl_addrmodule(dwfl, address);
  if (module == nullptr) return {place};
  const Dwarf_Addr asked = after_call ? address - 1 : address;
  const char *path = nullptr;
  Dwarf_Addr start = 0;
  dwfl_module_info(module, nullptr, &start, nullptr, nullptr, nullptr, &path, nullptr);
  place.module = path == nullptr ? "" : path;
  place.offset = address - start;
  std::vector<Frame> frames;
  add_functions(module, asked, place, frames);
  if (frames.empty()) frames.push_back(place);
  // The symbol says in which namespace and class a function is that no other file can call; DWARF does not.
  Frame &outermost = frames.back();
  const std::string symbol = readable(dwfl_module_addrname(module, asked));
  if (symbol.find(outermost.function) != std::string::npos) outermost.function = symbol;
  return frames;
}

}  // namespace hostler
