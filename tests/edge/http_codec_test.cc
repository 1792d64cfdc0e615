#include "edge/http_codec.h"

#include <gtest/gtest.h>

#include <string>

namespace hostler {
namespace {

HttpRequest one_request(const std::string &bytes) {
  HttpRequestReader reader;
  reader.append(bytes);
  auto request = reader.next();
  EXPECT_TRUE(request && *request) << bytes;
  return request && *request ? **request : HttpRequest{};
}

int refusal(const std::string &bytes) {
  HttpRequestReader reader;
  reader.append(bytes);
  const auto request = reader.next();
  return request ? 0 : request.error().status;
}

TEST(HttpCodec, RequestIsReadByteByByte) {
  HttpRequestReader reader;
  const std::string bytes = serialize_request("POST", "/v1/reload?dry=1", "{\"fresh\":[]}");
  EXPECT_FALSE(reader.in_request());
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    reader.append(bytes.substr(i, 1));
    const auto request = reader.next();
    ASSERT_TRUE(request && !*request);
    EXPECT_TRUE(reader.in_request());
  }
  reader.append(bytes.substr(bytes.size() - 1));
  const auto request = reader.next();
  ASSERT_TRUE(request && *request);
  EXPECT_EQ((*request)->method, "POST");
  EXPECT_EQ((*request)->path, "/v1/reload");
  EXPECT_EQ((*request)->query.at("dry"), "1");
  EXPECT_EQ((*request)->body, "{\"fresh\":[]}");
  EXPECT_TRUE((*request)->keep_alive);
  EXPECT_FALSE(reader.in_request());
}

TEST(HttpCodec, RequestsThatArriveTogetherAreCutApart) {
  HttpRequestReader reader;
  reader.append(serialize_request("GET", "/one", "") + serialize_request("POST", "/two", "body") + "GET /thr");
  EXPECT_EQ(reader.next().value()->path, "/one");
  const auto second = reader.next().value();
  EXPECT_EQ(second->path, "/two");
  EXPECT_EQ(second->body, "body");
  EXPECT_FALSE(reader.next().value());
  EXPECT_TRUE(reader.in_request());
}

TEST(HttpCodec, PathAndQueryAreDecoded) {
  const auto request = one_request("GET /a%20b+c?name=x%2Fy&empty=&bare&plus=a+b&bad=%zz HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(request.path, "/a b+c");
  EXPECT_EQ(request.query, (std::map<std::string, std::string>{
                               {"name", "x/y"}, {"empty", ""}, {"bare", ""}, {"plus", "a b"}, {"bad", "%zz"}}));
}

TEST(HttpCodec, ChunkedBodyIsPutTogether) {
  EXPECT_EQ(one_request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").body,
            "abcde");
}

TEST(HttpCodec, ConnectionCloseIsSeen) {
  EXPECT_FALSE(one_request("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(one_request("GET / HTTP/1.0\r\n\r\n").keep_alive);
}

TEST(HttpCodec, WhatIsNotHttpOrTooLargeIsRefused) {
  EXPECT_EQ(refusal("hello there\r\n\r\n"), 400);
  EXPECT_EQ(refusal(std::string(100, '\0')), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nA: " + std::string(17 << 10, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nA: " + std::string(17 << 10, 'x')), 431);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n"), 413);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 400);
}

TEST(HttpCodec, ReplyMakesTheRoundTrip) {
  const std::string body(100000, 'b');
  const std::string bytes = serialize({404, "text/plain", body}, true);
  HttpReplyReader reader;
  const auto half = reader.feed(bytes.substr(0, 50000));
  ASSERT_TRUE(half && !*half);
  const auto whole = reader.feed(bytes.substr(50000));
  ASSERT_TRUE(whole && *whole);
  EXPECT_EQ((*whole)->status, 404);
  EXPECT_EQ((*whole)->content_type, "text/plain");
  EXPECT_EQ((*whole)->body, body);
}

TEST(HttpCodec, ReplyCutShortIsAnError) {
  HttpReplyReader reader;
  ASSERT_TRUE(reader.feed(serialize({200, "text/plain", "body"}, true).substr(0, 30)));
  EXPECT_FALSE(reader.feed(""));
  HttpReplyReader silent;
  EXPECT_FALSE(silent.feed(""));
}

TEST(HttpCodec, AnswerToHeadHasALengthAndNoBody) {
  const std::string bytes = serialize({200, "text/plain", "body"}, false, false);
  EXPECT_NE(bytes.find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_NE(bytes.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(bytes.substr(bytes.size() - 4), "\r\n\r\n");
}

}  // namespace
}  // namespace hostler
