#include "core/page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

namespace hostler {
namespace {

WorkerPart with_reason(std::string_view words, std::uint32_t size) {
  WorkerPart page;
  std::copy(words.begin(), words.end(), page.reason.begin());
  page.reason_size = size;
  return page;
}

TEST(PageReason, IsWhatTheWorkerWrote) {
  EXPECT_EQ(page_reason(with_reason("no such table", 13)), "no such table");
}

TEST(PageReason, OfANewPageIsEmpty) {
  EXPECT_EQ(page_reason(WorkerPart{}), "");
}

TEST(PageReason, IsBoundedWhateverSizeAWorkerClaims) {
  EXPECT_EQ(page_reason(with_reason("x", 0xffffffff)).size(), WorkerPart{}.reason.size());
}

TEST(PageReason, HasNoControlCharacters) {
  EXPECT_EQ(page_reason(with_reason("a\nb\x1b[31m\x7f", 9)), "a?b?[31m?");
}

TEST(PageReason, KeepsUtf8) {
  EXPECT_EQ(page_reason(with_reason("größe", 7)), "größe");
}

TEST(Page, HostAndWorkerWriteOnDifferentCacheLines) {
  EXPECT_EQ(offsetof(Page, worker) % 64, 0U);
}

}  // namespace
}  // namespace hostler
