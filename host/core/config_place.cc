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

void Place::append_path(std::string &to) const {
  if (parent_ == nullptr) return;
  const std::size_t begin = to.size();
  parent_->append_path(to);
  if (index_ >= 0) {
    to.append("[").append(std::to_string(index_)).append("]");
    return;
  }
  if (to.size() != begin) to += '.';
  to += shown(key_);
}

std::string Place::path() const {
  std::string path;
  append_path(path);
  return path;
}

// Made several times for every entry, in case something about it is wrong: without fmt, in one piece of memory.
std::string Place::where(const Mark &mark) const {
  constexpr std::size_t kUsual = 64;  // beside the file's name
  std::string where;
  where.reserve(source_->file.size() + kUsual);
  where.append(source_->file).append(":").append(std::to_string(above_ + mark.line));
  where.append(":").append(std::to_string(mark.column));
  where += ": ";
  const std::size_t begin = where.size();
  append_path(where);
  if (where.size() == begin) where.resize(begin - 2);
  return where;
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
