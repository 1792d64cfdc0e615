#include "merging.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <hostler/plugin.hpp>
#include <queue>

#include <cerrno>

namespace aggregate {
namespace {

/// The row that a table is at.
struct Source {
  Row row;
  std::string_view rest;
};

/// The queue's top is the least.
struct Later {
  bool operator()(const Source &a, const Source &b) const { return a.row.key > b.row.key; }
};

using Sources = std::priority_queue<Source, std::vector<Source>, Later>;

bool push_next(Sources &sources, std::string_view rest, bool with_values) {
  if (rest.empty()) return true;
  const auto row = take_row(rest, with_values);
  if (row) sources.push({*row, rest});
  return row.has_value();
}

}  // namespace

MappedFile::MappedFile(const char *path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  struct stat status {};
  void *mapped = nullptr;
  if (fd >= 0 && ::fstat(fd, &status) == 0 && status.st_size > 0)
    mapped = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (mapped == nullptr || mapped == MAP_FAILED)
    throw hostler::Verdict(HOSTLER_ERROR, std::string("reading ") + path + ": " + std::strerror(error));
  text_ = {static_cast<const char *>(mapped), static_cast<size_t>(status.st_size)};
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<char *>(text_.data()), text_.size());
}

bool merge_tables(const std::vector<std::string_view> &tables, bool with_values,
                  const std::function<void(const Row &)> &take) {
  Sources sources;
  for (const std::string_view table : tables)
    if (!push_next(sources, table, with_values)) return false;
  while (!sources.empty()) {
    Row row = sources.top().row;
    row.stats = {};
    for (bool first = true; !sources.empty() && sources.top().row.key == row.key; first = false) {
      const Source source = sources.top();
      sources.pop();
      if (first) {
        row.stats = source.row.stats;
      } else if (!row.stats.add(source.row.stats)) {
        return false;
      }
      if (!push_next(sources, source.rest, with_values)) return false;
    }
    take(row);
  }
  return true;
}

}  // namespace aggregate
