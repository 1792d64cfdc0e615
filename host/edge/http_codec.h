// HTTP/1.1 messages to and from bytes, for the control socket and its client. Beast is behind it, in http_codec.cc
// alone; nothing here reads or writes a descriptor.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"

namespace hostler {

struct HttpRequest {
  std::string method;                        // "GET"
  std::string path;                          // decoded, without the query
  std::map<std::string, std::string> query;  // decoded
  std::string body;
  bool keep_alive = true;
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// Why a request cannot be read; the connection is of no further use.
struct HttpError {
  int status = 400;  // what to answer
  std::string what;
};

// Cuts a byte stream into requests. A header is at most 16 KiB, a body 1 MiB.
class HttpRequestReader {
 public:
  static constexpr std::size_t kMaxHeader = std::size_t{16} << 10;
  static constexpr std::size_t kMaxBody = std::size_t{1} << 20;

  HttpRequestReader();
  ~HttpRequestReader();
  HttpRequestReader(const HttpRequestReader &) = delete;
  HttpRequestReader &operator=(const HttpRequestReader &) = delete;

  // Adds bytes as they came.
  void append(std::string_view bytes);
  // The next whole request; nothing: more bytes are needed.
  [[nodiscard]] tl::expected<std::optional<HttpRequest>, HttpError> next();
  // A request has begun and is not whole yet.
  [[nodiscard]] bool in_request() const;
  // Bytes held that were not looked at yet.
  [[nodiscard]] std::size_t buffered() const;
  // Bytes held in all: those, and of a body that is not whole.
  [[nodiscard]] std::size_t held() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Reads one reply.
class HttpReplyReader {
 public:
  HttpReplyReader();
  ~HttpReplyReader();
  HttpReplyReader(const HttpReplyReader &) = delete;
  HttpReplyReader &operator=(const HttpReplyReader &) = delete;

  // Bytes as they came; empty: the stream has ended. Returns the reply when it is whole.
  [[nodiscard]] Result<std::optional<HttpReply>> feed(std::string_view bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// `with_body` false: the answer to HEAD.
[[nodiscard]] std::string serialize(HttpReply reply, bool keep_alive, bool with_body = true);
// `target` is path and query as they go over the wire.
[[nodiscard]] std::string serialize_request(std::string_view method, std::string_view target, std::string_view body);

}  // namespace hostler
