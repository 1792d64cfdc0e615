// What host and template say to each other over the template's control socket (packets): plain values of fixed size, so
// that a fork costs no allocation. Both ends are the same binary.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hostler {

// argv[0] of a template: how main() knows that it is one.
inline constexpr std::string_view kTemplateTitle = "hostler: template";

// In a template's environment, unless the host has one of its own; it takes it out for its workers.
inline constexpr std::string_view kBindNow = "LD_BIND_NOW=hostler";

// There too, and in all that its workers start: which fleet they are of, as fleet_mark() of edge/fleet_lock.h tells it.
inline constexpr std::string_view kFleetMark = "HOSTLER_FLEET=";

// The descriptors a template is started with, besides stdio.
inline constexpr int kTemplateControlFd = 3;
inline constexpr int kTemplateLockFd = 4;
inline constexpr int kTemplatePagesFd = 5;

// The first packet of a template: nothing is asked of one that is not the host's own program.
struct TemplateHello {
  std::array<char, 132> build{};  // its build id (core/build_id.h), ends with a zero
};

// One fork. With it come two descriptors: the worker's end of its channel, and the write end of its log pipe.
struct ForkRequest {
  std::uint64_t worker = 0;
  std::uint32_t page = 0;         // index in the page file
  std::array<char, 116> title{};  // what the worker is called in ps, ends with a zero
};

// Answers come in packets of one or more.
struct ForkAnswer {
  std::uint64_t worker = 0;
  std::int32_t pid = 0;    // the host's own child
  std::int32_t error = 0;  // errno of the fork, then there is no pid
};

inline constexpr std::size_t kMostForkAnswers = 32;  // a packet

}  // namespace hostler
