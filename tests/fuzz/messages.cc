// What comes over a worker's channel: any bytes are frames and messages or an error, in whatever pieces they come; and
// a message that was read is written as one that is read as the same.
#include "core/messages.h"

#include <string>
#include <vector>

#include "fuzz.h"

namespace hostler {
namespace {

std::vector<std::string> frames(std::string_view bytes, std::size_t piece) {
  std::vector<std::string> found;
  FrameReader reader;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    reader.append(part);
    while (true) {
      const auto frame = reader.next();
      if (!frame) return found;
      if (frame->empty()) break;
      found.emplace_back(*frame);
    }
  }
  return found;
}

template <typename Decode>
void round_trip(std::string_view frame, Decode decode) {
  const auto message = decode(frame);
  if (!message) return require(!message.error().what.empty(), "an error has words");
  const auto again = decode(std::string_view(encode(*message)).substr(sizeof(std::uint32_t)));
  require(again && *again == *message, "decode(encode(message)) == message");
}

}  // namespace
}  // namespace hostler

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace hostler;
  const std::string_view bytes = text_of(data, size);
  const auto whole = frames(bytes, bytes.size());
  require(whole == frames(bytes, 1), "frames do not depend on the pieces they come in");
  for (const std::string &frame : whole) {
    round_trip(frame, decode_worker_message);
    round_trip(frame, decode_host_message);
  }
  round_trip(bytes, decode_worker_message);
  round_trip(bytes, decode_host_message);
  return 0;
}
