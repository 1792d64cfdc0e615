#include "core/page.h"

#include <algorithm>

namespace hostler {

std::string page_reason(const WorkerPart &page) {
  const std::size_t size = std::min<std::size_t>(page.reason_size, page.reason.size());
  std::string words(page.reason.data(), size);
  std::replace_if(
      words.begin(), words.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return words;
}

}  // namespace hostler
