// Descriptors that somebody wants to hear of, in one level-triggered epoll set. Thousands of them cost little: a system call
// when one comes and one when it goes, none for each event, some two hundred bytes. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <unordered_map>
#include <vector>

#include "edge/unique_fd.h"

namespace hostler {

class DescriptorSet {
 public:
  enum class Ready { Read, Write };

  // Told of as long as it lives. A descriptor has one of each kind at most; a new one takes the place of a former one.
  class Interest {
   public:
    // The descriptor, which stays the caller's, is made non-blocking.
    Interest(DescriptorSet &set, int fd, Ready what, std::function<void()> handler);
    Interest(const Interest &) = delete;
    Interest &operator=(const Interest &) = delete;
    ~Interest();  // also within its handler

   private:
    friend class DescriptorSet;
    DescriptorSet &set_;
    int fd_;
    Ready what_;
    std::function<void()> handler_;
  };

  // Throws std::system_error when the kernel gives none.
  DescriptorSet();
  DescriptorSet(const DescriptorSet &) = delete;
  DescriptorSet &operator=(const DescriptorSet &) = delete;

  // Readable while somebody is to be told of something.
  [[nodiscard]] int fd() const { return set_.get(); }
  // Calls the handlers of what is ready now, until `stopped` says so; what is left is told the next time.
  void dispatch(const std::function<bool()> &stopped);

  // The kernel has no room for some of them at the moment, or does not watch their kind at all: somebody has to look() now
  // and then.
  [[nodiscard]] bool is_lacking() const { return !refused_.empty(); }
  // Tries once more to have them watched, and tells of those that are ready.
  void look();

 private:
  // The number of a descriptor is used again soon, maybe while events of its former owner are still to be told:
  // `generation` tells them apart. There are thousands, and next to none has a writer: those are in a table of their own.
  struct Descriptor {
    Interest *reader = nullptr;
    std::uint32_t generation = 0;
    std::uint32_t registered = 0;  // what the kernel watches it for
  };

  void add(Interest &interest);
  void remove(Interest &interest);
  [[nodiscard]] Interest *writer(int fd) const;
  [[nodiscard]] std::uint32_t wanted(int fd) const;
  void sync(int fd);
  void tell(std::size_t fd, std::uint32_t generation, std::uint32_t events);
  void call(Interest *interest);

  UniqueFd set_;
  std::vector<Descriptor> descriptors_;  // by number
  std::unordered_map<int, Interest *> writers_;
  std::set<int> refused_;
  Interest *called_ = nullptr;  // its handler runs; null again when it has ended in that
};

}  // namespace hostler
