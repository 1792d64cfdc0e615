#include "edge/page_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "core/hash.h"
#include "edge/crash_slot.h"

namespace hostler {
namespace {

off_t offset_of(std::uint32_t index) {
  return static_cast<off_t>(index) * static_cast<off_t>(kSlotSize);
}

// The file grows by so many slots at a time.
constexpr std::uint32_t kStep = 64;
constexpr off_t kMostSlots = 1'000'000;  // that a former host can have had
constexpr int kMostNames = 9;            // in a folder where others have made files of the first ones

bool is_tmpfs(const char *folder) {
  struct statfs status {};
  return ::statfs(folder, &status) == 0 && (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

// Somebody else may have made a file of this name first, in a folder that all may write to.
bool is_ours(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() && status.st_nlink == 1;
}

std::vector<std::string> tmpfs_folders() {
  std::vector<std::string> folders;
  for (const char *folder : {"/run", static_cast<const char *>(::getenv("XDG_RUNTIME_DIR")), "/dev/shm"})
    if (folder != nullptr && *folder == '/' && is_tmpfs(folder)) folders.emplace_back(folder);
  return folders;
}

std::string numbered(const std::string &path, int number) {
  return path + (number == 0 ? "" : fmt::format(".{}", number)) + ".pages";
}

// What a host of ours has left. The owner of a file that is not ours cannot make us wait for it, by a lease.
UniqueFd open_ours(const std::string &path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  return fd && is_ours(fd.get()) ? std::move(fd) : UniqueFd();
}

// `path` is the one that was tried last. Without any, errno says why: EEXIST when all are taken.
UniqueFd create_first_free(const std::string &base, std::string &path) {
  for (int number = 0; number < kMostNames; ++number) {
    path = numbered(base, number);
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (fd || errno != EEXIST) return fd;
  }
  return {};
}

}  // namespace

Result<PageFile> PageFile::open(const std::string &state_dir) {
  char *resolved = ::realpath(state_dir.c_str(), nullptr);
  if (resolved == nullptr) return fail(state_dir, std::strerror(errno));
  // It only has to differ between the state folders of one user.
  const std::string name = fmt::format("/hostler-{}-{:016x}", ::geteuid(), fnv1a(resolved));
  std::free(resolved);
  const std::vector<std::string> folders = tmpfs_folders();
  for (const std::string &folder : folders)
    for (int number = 0; number < kMostNames; ++number) {
      std::string path = numbered(folder + name, number);
      if (UniqueFd fd = open_ours(path)) return PageFile(std::move(fd), std::move(path));
    }
  Error none{"", "no place for the workers' pages: ", "mount a tmpfs at /dev/shm, or set XDG_RUNTIME_DIR to one"};
  if (folders.empty()) none.what += "no tmpfs at /run or /dev/shm";
  for (const std::string &folder : folders) {
    std::string path;
    if (UniqueFd fd = create_first_free(folder + name, path)) return PageFile(std::move(fd), std::move(path));
    const bool all_taken = errno == EEXIST;
    if (all_taken) none.hint = fmt::format("remove {}", path);
    none.what += fmt::format("{}{}: {}", folder == folders.front() ? "" : "; ", path,
                             all_taken ? "is somebody else's, as are those before it" : std::strerror(errno));
  }
  return tl::unexpected(std::move(none));
}

void PageFile::remove() const {
  ::unlink(path_.c_str());
}

bool PageFile::is_left_over() const {
  struct stat status {};
  return ::fstat(fd_.get(), &status) == 0 && status.st_size > 0;
}

std::vector<Page> PageFile::take_former() {
  std::vector<Page> pages;
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return pages;
  const auto slots = static_cast<std::uint32_t>(std::min(status.st_size / static_cast<off_t>(kSlotSize), kMostSlots));
  for (std::uint32_t index = 0; index < slots; ++index) {
    Page page;
    if (::pread(fd_.get(), &page, sizeof page, offset_of(index)) != static_cast<ssize_t>(sizeof page)) break;
    if (page.host.layout != kPageLayout || page.host.go == 0) continue;
    pages.push_back(page);
    const HostPart nobody;
    if (::pwrite(fd_.get(), &nobody, sizeof nobody, offset_of(index)) < 0) errno = 0;
  }
  return pages;
}

Result<std::uint32_t> PageFile::allocate(const HostPart &part) {
  const std::uint32_t index = free_.empty() ? next_ : free_.back();
  if (index >= room_) {
    // Never shorter: workers of a host that has just died may still be there, for a moment.
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return fail(path_, std::strerror(errno));
    if (room_ == 0) former_ = static_cast<std::uint32_t>(status.st_size / static_cast<off_t>(kSlotSize));
    if (status.st_size < offset_of(index + kStep) && ::ftruncate(fd_.get(), offset_of(index + kStep)) != 0)
      return fail(path_, std::strerror(errno));
    room_ = index + kStep;
  }
  if (free_.empty() && index < former_) give_back_crash(index);
  // A whole page is written, so that a full tmpfs is an error here and no bus error in the worker.
  std::array<std::byte, kPageSize> bytes{};
  Page page;
  page.host = part;
  page.host.layout = kPageLayout;
  std::memcpy(bytes.data(), &page, sizeof page);
  const ssize_t size = ::pwrite(fd_.get(), bytes.data(), bytes.size(), offset_of(index));
  if (size != static_cast<ssize_t>(bytes.size())) return fail(path_, size < 0 ? std::strerror(errno) : "no space left");
  if (free_.empty()) {
    ++next_;
  } else {
    free_.pop_back();
  }
  return index;
}

void PageFile::release(std::uint32_t index) {
  give_back_crash(index);
  write(index, HostPart{});  // or a host that dies would leave it as that of a worker that died with it
  free_.push_back(index);
}

// Where something was noted, it reads as zeros afterwards. To look costs a fifth of what the hole does.
void PageFile::give_back_crash(std::uint32_t index) const {
  decltype(CrashNote::layout) layout = 0;
  const auto note = offset_of(index) + static_cast<off_t>(kCrashNoteOffset + offsetof(CrashNote, layout));
  if (::pread(fd_.get(), &layout, sizeof layout, note) == static_cast<ssize_t>(sizeof layout) && layout == 0) return;
  constexpr auto kSize = static_cast<off_t>(kSlotSize - kCrashNoteOffset);
  const off_t begin = offset_of(index) + static_cast<off_t>(kCrashNoteOffset);
  if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, kSize) != 0) errno = 0;
}

void PageFile::write(std::uint32_t index, const HostPart &part) {
  // The page is there since allocate(), so this cannot fail for want of space.
  if (::pwrite(fd_.get(), &part, sizeof part, offset_of(index)) < 0) errno = 0;
}

WorkerPart PageFile::read(std::uint32_t index) const {
  WorkerPart part;
  const ssize_t size =
      ::pread(fd_.get(), &part, sizeof part, offset_of(index) + static_cast<off_t>(offsetof(Page, worker)));
  if (size != static_cast<ssize_t>(sizeof part)) part = {};
  return part;
}

std::optional<CrashCapture> PageFile::read_crash(std::uint32_t index, int signal) const {
  return read_crash_slot(fd_.get(), offset_of(index), signal);
}

}  // namespace hostler
