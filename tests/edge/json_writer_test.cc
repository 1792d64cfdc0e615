#include "edge/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace hostler {
namespace {

using Json = nlohmann::ordered_json;

// A list with this value in it, as it is read back.
template <typename T>
Json read_back(const T &value) {
  JsonWriter writer(0);
  writer.begin_list();
  writer.element();
  writer.value(value);
  writer.end_list();
  return Json::parse(writer.take()).at(0);
}

// {"a": [], "b": {}, "c": [1, {"d": "e"}, [true]]}
std::string nested(int indent) {
  JsonWriter writer(indent);
  writer.begin_object();
  writer.key("a");
  writer.begin_list();
  writer.end_list();
  writer.key("b");
  writer.begin_object();
  writer.end_object();
  writer.key("c");
  writer.begin_list();
  writer.element();
  writer.value(std::int32_t{1});
  writer.element();
  writer.begin_object();
  writer.key("d");
  writer.value("e");
  writer.end_object();
  writer.element();
  writer.begin_list();
  writer.element();
  writer.value(true);
  writer.end_list();
  writer.end_list();
  writer.end_object();
  return writer.take();
}

TEST(JsonWriter, LaysOutAsEverybodyDoes) {
  const Json same = Json::parse(nested(0));
  EXPECT_EQ(nested(0), same.dump());
  EXPECT_EQ(nested(2), same.dump(2));
}

TEST(JsonWriter, EveryByteOfATextComesBack) {
  std::string text = "grün \xf0\x9f\x90\x98 /";
  for (char c = 0; c >= 0 && c < 127; ++c) text += c;
  text += '\x7f';
  EXPECT_EQ(read_back(text), text);
  EXPECT_EQ(read_back(""), "");
}

TEST(JsonWriter, WhatIsNotUtf8IsReplaced) {
  EXPECT_EQ(read_back("a\xff\"b\xc3"), "a\xef\xbf\xbd\"b\xef\xbf\xbd");
}

TEST(JsonWriter, NumbersComeBackAsTheyWere) {
  for (const std::int64_t number : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0},
                                    std::numeric_limits<std::int64_t>::max()})
    EXPECT_EQ(read_back(number), number);
  EXPECT_EQ(read_back(std::numeric_limits<std::uint64_t>::max()), std::numeric_limits<std::uint64_t>::max());
  for (const double number : {0.1, -2.0, 1e300, 5e-324}) EXPECT_EQ(read_back(number), number);
}

TEST(JsonWriter, WhatIsNoNumberIsNull) {
  EXPECT_TRUE(read_back(std::nan("")).is_null());
  EXPECT_TRUE(read_back(std::numeric_limits<double>::infinity()).is_null());
}

}  // namespace
}  // namespace hostler
