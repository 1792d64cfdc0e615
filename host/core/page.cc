#include "core/page.h"

#include <algorithm>

#include "core/plain_text.h"

namespace hostler {

std::string page_reason(const WorkerPart &page) {
  const std::size_t size = std::min<std::size_t>(page.reason_size, page.reason.size());
  return in_one_line({page.reason.data(), size});
}

}  // namespace hostler
