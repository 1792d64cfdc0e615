#include "core/config_place.h"

#include <fmt/format.h>

namespace hostler {
namespace {

constexpr std::size_t kMostShown = 80;

std::string shown(std::string_view text) {
  std::size_t cut = text.size();
  if (cut > kMostShown) {
    cut = kMostShown;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;  // not within a character
  }
  std::string out;
  for (const char c : text.substr(0, cut)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7F)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return cut < text.size() ? out + "…" : out;
}

}  // namespace

std::string Place::path() const {
  if (parent_ == nullptr) return {};
  std::string path = parent_->path();
  if (index_ >= 0) return path + fmt::format("[{}]", index_);
  if (!path.empty()) path += '.';
  return path + shown(key_);
}

std::string Place::where(const Mark &mark) const {
  const std::string keys = path();
  std::string where = fmt::format("{}:{}:{}", source_->file, mark.line, mark.column);
  return keys.empty() ? where : where + ": " + keys;
}

tl::unexpected<Error> Place::refuse(const Mark &mark, std::string what, std::string hint) const {
  return fail(where(mark), std::move(what), std::move(hint));
}

tl::unexpected<Error> Place::refuse(const Mark &mark, Error error) const {
  error.where = where(mark);
  return tl::unexpected(std::move(error));
}

std::string in_quotes(std::string_view text) {
  return '"' + shown(text) + '"';
}

}  // namespace hostler
