#include "worker/shared_page.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace hostler {
namespace {

std::uint64_t *the_guard = nullptr;  // on a page that the kernel wipes on fork

}  // namespace

SharedPage::SharedPage(Page *page) : page_(page), guard_(the_guard) {
  *the_guard = 1;
}

Result<void> SharedPage::make_guard() {
  if (the_guard != nullptr) return {};
  void *guard = ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (guard == MAP_FAILED || ::madvise(guard, kPageSize, MADV_WIPEONFORK) != 0)
    return fail({}, std::string("cannot make a page that is wiped on fork: ") + std::strerror(errno));
  the_guard = static_cast<std::uint64_t *>(guard);
  return {};
}

void *SharedPage::own_room() {
  constexpr std::size_t kCacheLine = 64;
  static_assert(kCacheLine + kOwnRoom <= kPageSize);
  return reinterpret_cast<unsigned char *>(the_guard) + kCacheLine;
}

Result<SharedPage> SharedPage::map(int page_file, std::uint32_t index) {
  const auto offset = static_cast<off_t>(index) * static_cast<off_t>(kSlotSize);
  void *page = ::mmap(nullptr, kSlotSize, PROT_READ | PROT_WRITE, MAP_SHARED, page_file, offset);
  if (page == MAP_FAILED) return fail({}, std::string("cannot map the worker's page: ") + std::strerror(errno));
  if (auto made = make_guard(); !made) return tl::unexpected(made.error());
  SharedPage shared(static_cast<Page *>(page));
  store(shared.page_->worker.layout, kPageLayout);
  return shared;
}

void SharedPage::begin_slice(std::int64_t global, std::int64_t local) {
  WorkerPart &worker = page_->worker;
  store(worker.at, std::int64_t{-1});
  set_claim(local, local);
  set_progress(0, 0);
  store(worker.reason_size, std::uint32_t{0});
  store(worker.begun, global);
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  store(worker.begun_at, std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec);
  set_stage(Stage::Running);
}

void SharedPage::set_reason(std::string_view words) {
  WorkerPart &worker = page_->worker;
  const std::size_t size = std::min(words.size(), worker.reason.size());
  store(worker.reason_size, std::uint32_t{0});
  std::memcpy(worker.reason.data(), words.data(), size);
  store(worker.reason_size, static_cast<std::uint32_t>(size));
}

void SharedPage::set_failed_before_run(std::string_view words, bool passing) {
  set_reason(words);
  store(page_->worker.failed_before_run, passing ? 2 : 1);
}

}  // namespace hostler
