// What a client sends to the control socket, and what a host answers to a client: any bytes are messages or an error, and
// the same ones in whatever pieces they come.
#include <string>
#include <vector>

#include "edge/http_codec.h"
#include "edge/status_json.h"
#include "fuzz.h"

namespace hostler {
namespace {

struct Requests {
  std::vector<std::string> all;
  int refused = 0;  // status
  bool operator==(const Requests &) const = default;
};

// Like a connection: until there is no whole one, or what comes cannot be right.
Requests read(std::string_view bytes, std::size_t piece) {
  Requests found;
  HttpRequestReader reader;
  while (!bytes.empty() && found.refused == 0) {
    const std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    reader.append(part);
    while (true) {
      const auto request = reader.next();
      if (!request) {
        found.refused = request.error().status;
        break;
      }
      if (!*request) break;
      const HttpRequest &one = **request;
      found.all.push_back(one.method + " " + one.path + " " + (one.keep_alive ? "k " : "c ") + one.body);
      for (const auto &[key, value] : one.query) found.all.back().append("&").append(key).append("=").append(value);
      (void)reload_request_from_json(one.body);
    }
  }
  return found;
}

}  // namespace
}  // namespace hostler

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace hostler;
  const std::string_view bytes = text_of(data, size);
  const Requests whole = read(bytes, bytes.size());
  require(whole.all == read(bytes, bytes.size() < 2000 ? 1 : 61).all,
          "requests do not depend on the pieces they come in");

  HttpReplyReader replies;
  if (const auto reply = replies.feed(bytes); reply && !*reply) (void)replies.feed({});
  (void)error_from_json(bytes);
  (void)reload_reply_from_json(bytes);
  if (const auto asked = reload_request_from_json(bytes)) {
    const auto again = reload_request_from_json(to_json(*asked));
    require(again && again->fresh == asked->fresh && again->resume == asked->resume, "what is asked survives the way");
  }
  if (const auto status = status_from_json(bytes))
    require(status_from_json(to_json(*status)).has_value(), "so does a status");
  return 0;
}
