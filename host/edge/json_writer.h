// JSON text, written value by value as it is told, without a tree in between: a status of thousands of workers is
// megabytes. The caller sees to it that keys stand in objects and that what is opened is closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace hostler {

class JsonWriter {
 public:
  // `indent`: spaces for each level, each member on a line of its own; 0: all on one line, without spaces.
  // `expected`: so many bytes have room from the start.
  explicit JsonWriter(int indent, std::size_t expected = 0) : indent_(indent) { text_.reserve(expected); }

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_list() { begin('['); }
  void end_list() { end(']'); }
  void key(std::string_view name);  // its value comes next
  void element();                   // of a list; its value comes next

  // Bytes that are not UTF-8 become U+FFFD.
  void value(std::string_view text);
  void value(const char *text) { value(std::string_view(text)); }
  void value(const std::string &text) { value(std::string_view(text)); }
  void value(bool truth) { text_ += truth ? "true" : "false"; }
  void value(std::int32_t number) { value(std::int64_t{number}); }
  void value(std::int64_t number);
  void value(std::uint64_t number);
  void value(double number);

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void begin(char bracket);
  void end(char bracket);
  void next();
  void new_line();

  int indent_;
  std::size_t depth_ = 0;
  bool empty_ = true;  // the object or list begun last has nothing in it yet
  std::string text_;
};

}  // namespace hostler
