#include "edge/json_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

namespace hostler {
namespace {

// Stands for itself. What is not ASCII is left to the library, which knows UTF-8.
bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);  // a plain char has a sign on some machines, and none on others
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

// What the library knows to write: escapes, bytes that are not UTF-8, the shortest digits of a number.
template <typename T>
std::string by_library(const T &value) {
  using Json = nlohmann::json;
  return Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void JsonWriter::begin(char bracket) {
  text_ += bracket;
  ++depth_;
  empty_ = true;
}

void JsonWriter::end(char bracket) {
  --depth_;
  if (!empty_) new_line();
  text_ += bracket;
  empty_ = false;
}

void JsonWriter::next() {
  if (!empty_) text_ += ',';
  empty_ = false;
  new_line();
}

void JsonWriter::new_line() {
  if (indent_ == 0) return;
  text_ += '\n';
  text_.append(depth_ * static_cast<std::size_t>(indent_), ' ');
}

void JsonWriter::key(std::string_view name) {
  next();
  value(name);
  text_ += indent_ == 0 ? ":" : ": ";
}

void JsonWriter::element() {
  next();
}

void JsonWriter::value(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    text_ += by_library(text);
    return;
  }
  text_ += '"';
  text_ += text;
  text_ += '"';
}

void JsonWriter::value(std::int64_t number) {
  const fmt::format_int digits(number);
  text_.append(digits.data(), digits.size());
}

void JsonWriter::value(std::uint64_t number) {
  const fmt::format_int digits(number);
  text_.append(digits.data(), digits.size());
}

void JsonWriter::value(double number) {
  text_ += by_library(number);
}

}  // namespace hostler
