// An output file of a slice. On the thread of run() only.
#pragma once

#include <unistd.h>
#include <hostler/detail/verdict.hpp>

#include <cerrno>
#include <string_view>

namespace hostler {

/// Collects what is written into blocks. The slice keeps it, flushes it when the function given to HOSTLER_RUN returns,
/// and drops what is left when it throws.
class Output {
 public:
  Output(int fd, std::string_view name) : fd_(fd), name_(name) {}

  const std::string &name() const { return name_; }

  void write(std::string_view text) {
    if (buffer_.size() + text.size() > kBlock) flush();
    if (text.size() >= kBlock) {
      write_all(text);
    } else {
      buffer_ += text;
    }
  }

  /// Hands all to the kernel. Throws what stood in the way; a full disk is HOSTLER_RETRY_LATER.
  void flush() {
    write_all(buffer_);
    buffer_.clear();
  }

  /// The descriptor, flushed, for code that writes by itself. It belongs to the host: do not close it.
  int fd() {
    flush();
    return fd_;
  }

 private:
  static constexpr size_t kBlock = size_t{64} * 1024;

  void write_all(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(fd_, text.data(), text.size());
      if (written < 0 && errno != EINTR) throw_error(errno);
      if (written > 0) text.remove_prefix(static_cast<size_t>(written));
    }
  }

  [[noreturn]] void throw_error(int error) const { detail::throw_errno("output '" + name_ + "'", error); }

  int fd_;
  std::string name_;
  std::string buffer_;
};

}  // namespace hostler
