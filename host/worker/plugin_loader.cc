#include "worker/plugin_loader.h"

#include <dlfcn.h>
#include <link.h>

#include <cstring>
#include <exception>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <boost/dll/shared_library.hpp>

namespace hostler {
namespace {

using Library = boost::dll::shared_library;

constexpr std::size_t kLongestName = 128;     // of id and version
constexpr std::int64_t kFirstAboutSize = 56;  // of hostler_plugin_t in ABI 1.0
static_assert(sizeof(hostler_plugin_t) >= kFirstAboutSize);

tl::unexpected<LoadError> refuse(std::string what, bool passing = false) {
  return tl::unexpected<LoadError>(LoadError{std::move(what), passing});
}

// Boost wraps dlerror's words; the copy's path in the store is of no use to a person.
std::string loader_words(std::string text, const std::string &library, const std::string &name) {
  constexpr std::string_view kBefore = "dlerror system message: ";
  if (const auto begin = text.find(kBefore); begin != std::string::npos) {
    text.erase(0, begin + kBefore.size());
    if (const auto end = text.rfind("): "); end != std::string::npos) text.erase(end);
  }
  for (auto at = text.find(library); at != std::string::npos; at = text.find(library, at + name.size()))
    text.replace(at, library.size(), name);
  return text;
}

bool is_passing_want(const std::string &words) {
  for (const int error : {ENOMEM, EMFILE, ENFILE, EAGAIN})
    if (words.find(std::strerror(error)) != std::string::npos) return true;
  return false;
}

// dlsym finds what the plugin's dependencies export, too: a symbol must come from the plugin itself.
const link_map *home_of(const void *symbol) {
  Dl_info info{};
  void *map = nullptr;
  if (::dladdr1(symbol, &info, &map, RTLD_DL_LINKMAP) == 0) return nullptr;
  return static_cast<const link_map *>(map);
}

const link_map *home_of(const Library &library) {
  link_map *map = nullptr;
  return ::dlinfo(library.native(), RTLD_DI_LINKMAP, &map) == 0 ? map : nullptr;
}

// A variable of that name, not a function.
bool is_object(const void *symbol) {
  Dl_info info{};
  void *entry = nullptr;
  if (::dladdr1(symbol, &info, &entry, RTLD_DL_SYMENT) == 0 || entry == nullptr) return false;
  return ELF64_ST_TYPE(static_cast<const ElfW(Sym) *>(entry)->st_info) == STT_OBJECT;
}

struct Symbol {
  void *address = nullptr;
  std::string stranger;  // not the plugin's own: the library that it comes from
};

Symbol find(const Library &library, const char *name) {
  Symbol symbol;
  symbol.address = ::dlsym(library.native(), name);
  if (symbol.address == nullptr) return symbol;
  const link_map *home = home_of(symbol.address);
  if (home == home_of(library)) return symbol;
  symbol.address = nullptr;
  const std::string_view path = home != nullptr && home->l_name != nullptr ? home->l_name : "";
  symbol.stranger = path.empty() ? "the host" : path.substr(path.rfind('/') + 1);
  return symbol;
}

template <typename Function>
Function as_function(const Symbol &symbol) {
  return reinterpret_cast<Function>(symbol.address);
}

bool is_newer(const hostler_plugin_t &about) {
  return about.abi_major > HOSTLER_ABI_MAJOR ||
         (about.abi_major == HOSTLER_ABI_MAJOR && about.abi_minor > HOSTLER_ABI_MINOR);
}

// Empty: hostler_plugin is as it must be. Of an older plugin's no more is there than its struct_size says.
std::string fault(const hostler_plugin_t &about, const std::string &name) {
  if (about.magic != HOSTLER_MAGIC) return fmt::format("{}: hostler_plugin does not begin with HOSTLER_MAGIC", name);
  if (about.abi_major != HOSTLER_ABI_MAJOR || about.abi_minor > HOSTLER_ABI_MINOR || about.abi_minor < 0)
    return fmt::format("{}: plugin speaks ABI {}.{}, this host {}.{}: {}", name, about.abi_major, about.abi_minor,
                       HOSTLER_ABI_MAJOR, HOSTLER_ABI_MINOR,
                       is_newer(about) ? "update hostler, or build the plugin with this hostler's hostler/plugin.h"
                                       : "build the plugin with this hostler's hostler/plugin.h");
  if (about.struct_size < kFirstAboutSize || about.struct_size > static_cast<std::int64_t>(sizeof(hostler_plugin_t)))
    return fmt::format("{}: hostler_plugin says it has {} bytes, in ABI {}.{} it has {}", name, about.struct_size,
                       HOSTLER_ABI_MAJOR, HOSTLER_ABI_MINOR, sizeof(hostler_plugin_t));
  if ((about.flags & ~std::int64_t{HOSTLER_SPLITTABLE}) != 0)
    return fmt::format("{}: flags {:#x} has bits that this host does not know", name, about.flags);
  if (about.id == nullptr || about.version == nullptr) return fmt::format("{}: id or version is NULL", name);
  const std::size_t id = ::strnlen(about.id, kLongestName + 1);
  if (id == 0 || id > kLongestName || ::strnlen(about.version, kLongestName + 1) > kLongestName)
    return fmt::format("{}: id is empty, or id or version are longer than {} bytes", name, kLongestName);
  return {};
}

}  // namespace

tl::expected<LoadedPlugin, LoadError> load_plugin(const std::string &library, const std::string &name) {
  // What is loaded stays so for the life of this process, also while it exits: never destroyed.
  static auto &loaded = *new std::vector<Library>();
  try {
    loaded.emplace_back(library, boost::dll::load_mode::rtld_now);
  } catch (const std::exception &error) {
    std::string words = loader_words(error.what(), library, name);
    const bool passing = is_passing_want(words);
    return refuse(std::move(words), passing);
  }
  const Library &plugin = loaded.back();

  const Symbol about = find(plugin, "hostler_plugin");
  if (about.address == nullptr)
    return refuse(fmt::format("{}: exports no hostler_plugin, so it is not a hostler plugin", name));
  LoadedPlugin result;
  result.about = static_cast<const hostler_plugin_t *>(about.address);
  if (std::string wrong = fault(*result.about, name); !wrong.empty()) return refuse(std::move(wrong));

  const Symbol run = find(plugin, "run");
  if (run.address == nullptr)
    return refuse(run.stranger.empty()
                      ? fmt::format("{}: exports no run()", name)
                      : fmt::format("{}: run() is not the plugin's own, it comes from {}", name, run.stranger));
  if (is_object(run.address)) return refuse(fmt::format("{}: run is a variable, not a function", name));
  result.run = as_function<decltype(result.run)>(run);
  result.prepare = as_function<decltype(result.prepare)>(find(plugin, "prepare"));
  result.merge = as_function<decltype(result.merge)>(find(plugin, "merge"));
  return result;
}

}  // namespace hostler
