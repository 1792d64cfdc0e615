#include "edge/http_codec.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cctype>
#include <cstdint>

namespace hostler {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using RequestParser = http::request_parser<http::string_body>;
using ReplyParser = http::response_parser<http::string_body>;

constexpr std::uint64_t kMaxReplyBody = std::uint64_t{256} << 20;

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(digit)));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// "%20" and, in a query, "+"; what is no escape stays as it is.
std::string decode(std::string_view text, bool query) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      decoded.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      decoded.push_back(query && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return decoded;
}

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (!pair.empty())
      query[decode(pair.substr(0, equals), true)] = decode(pair.substr(std::min(equals + 1, pair.size())), true);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return query;
}

HttpRequest to_request(const RequestParser &parser) {
  const auto &message = parser.get();
  const std::string_view target = view(message.target());
  const std::size_t question = std::min(target.find('?'), target.size());
  HttpRequest request;
  request.method = view(message.method_string());
  request.path = decode(target.substr(0, question), false);
  request.query = parse_query(target.substr(std::min(question + 1, target.size())));
  request.body = message.body();
  request.keep_alive = message.keep_alive();
  return request;
}

HttpError to_error(const error_code &error) {
  if (error == http::error::header_limit) return {431, "the header is longer than 16 KiB"};
  if (error == http::error::body_limit) return {413, "the body is longer than 1 MiB"};
  return {400, "not HTTP/1.1: " + error.message()};
}

std::string_view reason(int status) {
  return view(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))));
}

}  // namespace

struct HttpRequestReader::Impl {
  Impl() { start(); }
  void start() {
    parser.emplace();
    parser->eager(true);
    parser->header_limit(kMaxHeader);
    parser->body_limit(kMaxBody);
  }
  std::optional<RequestParser> parser;  // of the request that is being read
  std::string buffer;
};

HttpRequestReader::HttpRequestReader() : impl_(std::make_unique<Impl>()) {}
HttpRequestReader::~HttpRequestReader() = default;

void HttpRequestReader::append(std::string_view bytes) {
  impl_->buffer.append(bytes);
}

tl::expected<std::optional<HttpRequest>, HttpError> HttpRequestReader::next() {
  while (!impl_->buffer.empty()) {
    error_code error;
    const std::size_t taken = impl_->parser->put(boost::asio::buffer(impl_->buffer), error);
    impl_->buffer.erase(0, taken);
    if (error && error != http::error::need_more) return tl::unexpected<HttpError>(to_error(error));
    if (impl_->parser->is_done()) {
      HttpRequest request = to_request(*impl_->parser);
      impl_->start();
      return request;
    }
    if (error == http::error::need_more || taken == 0) break;
  }
  if (impl_->buffer.empty()) impl_->buffer.shrink_to_fit();  // the next request may be long in coming
  return std::nullopt;
}

bool HttpRequestReader::in_request() const {
  return impl_->parser->got_some() || !impl_->buffer.empty();
}
std::size_t HttpRequestReader::buffered() const {
  return impl_->buffer.size();
}

std::size_t HttpRequestReader::held() const {
  return impl_->buffer.size() + impl_->parser->get().body().size();
}

struct HttpReplyReader::Impl {
  ReplyParser parser;
  std::string buffer;
};

HttpReplyReader::HttpReplyReader() : impl_(std::make_unique<Impl>()) {
  impl_->parser.eager(true);
  impl_->parser.header_limit(HttpRequestReader::kMaxHeader);
  impl_->parser.body_limit(kMaxReplyBody);
}
HttpReplyReader::~HttpReplyReader() = default;

Result<std::optional<HttpReply>> HttpReplyReader::feed(std::string_view bytes) {
  auto &parser = impl_->parser;
  error_code error;
  if (bytes.empty()) {
    if (parser.got_some()) parser.put_eof(error);
    if (error || !parser.is_done()) return fail("", "the host closed the connection before its answer was whole");
  }
  impl_->buffer.append(bytes);
  while (!impl_->buffer.empty() && !parser.is_done()) {
    const std::size_t taken = parser.put(boost::asio::buffer(impl_->buffer), error);
    impl_->buffer.erase(0, taken);
    if (error == http::error::need_more) break;
    if (error) return fail("", "the answer is not HTTP/1.1: " + error.message());
    if (taken == 0) break;
  }
  if (!parser.is_done()) return std::nullopt;
  auto message = parser.release();
  return HttpReply{static_cast<int>(message.result_int()), std::string(view(message[http::field::content_type])),
                   std::move(message.body())};
}

std::string serialize(HttpReply reply, bool keep_alive, bool with_body) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n", reply.status,
                                 reason(reply.status), reply.content_type, reply.body.size(),
                                 keep_alive ? "" : "Connection: close\r\n");
  if (!with_body) return head;
  reply.body.insert(0, head);  // which may be megabytes: moved within itself, not copied
  return std::move(reply.body);
}

std::string serialize_request(std::string_view method, std::string_view target, std::string_view body) {
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: hostler\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", method,
      target, body.size(), body);
}

}  // namespace hostler
