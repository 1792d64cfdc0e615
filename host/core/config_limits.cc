#include "core/config_limits.h"

#include <cmath>

#include <fmt/format.h>

#include "core/config_values.h"
#include "core/units.h"

namespace hostler {
namespace {

// A worker that has loaded nothing yet holds about ten descriptors, and maps about 20 MiB.
constexpr std::int64_t kLeastOpenFiles = 16;
constexpr std::int64_t kLeastAddressSpace = std::int64_t{64} << 20;
constexpr std::int64_t kLeastMemory = std::int64_t{1} << 20;
constexpr std::int64_t kMostOpenFiles = std::int64_t{1} << 30;
constexpr std::int64_t kMostProcesses = std::int64_t{1} << 22;  // of Linux
constexpr double kLeastCpu = 0.01;
constexpr double kMostCpu = 10'000;

void note(std::optional<Asked> &asked, std::int64_t number, const Node &value, const Place &place) {
  asked = Asked{number, place.where(value.mark), value.text};
}

template <auto Member, std::int64_t Least, std::int64_t Most>
Result<void> read_number_of(const Node &value, const Place &place, LimitsDraft &draft) {
  const auto number = read_integer(value, place, Least, Most);
  if (!number) return tl::unexpected(number.error());
  note(draft.*Member, *number, value, place);
  return {};
}

Result<void> read_memory(const Node &value, const Place &place, LimitsDraft &draft) {
  const auto size = read_size(value, place);
  if (!size) return tl::unexpected(size.error());
  if (*size < kLeastMemory)
    return place.refuse(value.mark, fmt::format("{} is too little for any worker", in_quotes(value.text)),
                        "write at least 1MiB");
  note(draft.memory, *size, value, place);
  return {};
}

Result<void> read_core(const Node &value, const Place &place, LimitsDraft &draft) {
  const bool none = value.kind == Node::Kind::Scalar && !value.quoted && value.text == "0";
  const auto size = none ? Result<std::int64_t>(0) : read_size(value, place);
  if (!size) return tl::unexpected(size.error());
  note(draft.core, *size, value, place);
  return {};
}

Result<void> read_cpu(const Node &value, const Place &place, LimitsDraft &draft) {
  const auto processors = read_number(value, place, kLeastCpu, kMostCpu);
  if (!processors) return tl::unexpected(processors.error());
  note(draft.cpu, std::llround(*processors * static_cast<double>(kCpuPeriod)), value, place);
  return {};
}

constexpr Field<LimitsDraft> kLimitsFields[] = {
    {"memory", read_memory}, {"open_files", read_number_of<&LimitsDraft::open_files, kLeastOpenFiles, kMostOpenFiles>},
    {"cpu", read_cpu},       {"processes", read_number_of<&LimitsDraft::processes, 1, kMostProcesses>},
    {"core", read_core},
};

tl::unexpected<Error> refuse(const Asked &asked, const std::string &why, std::string hint) {
  return fail(asked.where, fmt::format("this machine cannot enforce {}: {}", in_quotes(asked.text), why),
              std::move(hint));
}

constexpr const char *kGroupHint =
    "start hostler where it has a cgroup of its own (systemd: Delegate=yes), or leave this limit out";

// What only root may raise.
Result<void> check_at_most(const Asked &asked, std::int64_t most, std::string_view what) {
  if (asked.value <= most) return {};
  return refuse(asked, fmt::format("the host itself is limited to {} {}", most, what),
                "raise the host's own limit (ulimit -H, systemd: Limit…=), or write less");
}

// Without a group, by the address space of each process: it never has more memory than that, but mapped files count too.
Result<void> enforce_memory(const Asked &asked, const Powers &powers, Limits &limits) {
  if (powers.group_memory) {
    limits.memory = asked.value;
    return {};
  }
  if (asked.value < kLeastAddressSpace)
    return refuse(asked,
                  fmt::format("without a cgroup it is by address space, and a worker needs {} of that ({})",
                              format_size(kLeastAddressSpace), powers.no_groups),
                  kGroupHint);
  limits.address_space = asked.value;
  return {};
}

// Without a group, by the number that its user has all over the machine, which the kernel does not hold root to.
Result<void> enforce_processes(const Asked &asked, const Powers &powers, bool user_is_root, Limits &limits) {
  if (powers.group_processes) {
    limits.processes = asked.value;
    return {};
  }
  if (user_is_root)
    return refuse(asked, "root is held to a number of processes by a cgroup only, and " + powers.no_groups,
                  "give the entry a user:, or " + std::string(kGroupHint));
  limits.user_processes = asked.value;
  return {};
}

}  // namespace

Result<void> read_limits(const Node &value, const Place &place, LimitsDraft &draft) {
  return read_map<LimitsDraft>(value, place, kLimitsFields, draft);
}

Result<Limits> enforceable(const LimitsDraft &draft, Machine &machine, const std::optional<User> &user) {
  Limits limits;
  const bool grouped = draft.memory || draft.cpu || draft.processes;
  if (!grouped && !draft.open_files && !draft.core) return limits;
  const Powers &powers = machine.powers();
  const bool user_is_root = user ? user->uid == 0 : powers.uid == 0;
  limits.group = grouped && powers.groups;
  Result<void> fine;
  if (draft.open_files) {
    fine = check_at_most(*draft.open_files, powers.most_open_files, "open files");
    limits.open_files = draft.open_files->value;
  }
  if (fine && draft.core) {
    fine = check_at_most(*draft.core, powers.most_core, "bytes of a core file");
    limits.core = draft.core->value;
  }
  if (fine && draft.memory) fine = enforce_memory(*draft.memory, powers, limits);
  if (fine && draft.processes) fine = enforce_processes(*draft.processes, powers, user_is_root, limits);
  if (fine && draft.cpu && !powers.group_cpu)
    fine = refuse(*draft.cpu, "processor time is held by a cgroup only, and " + powers.no_groups, kGroupHint);
  if (!fine) return tl::unexpected(fine.error());
  if (draft.cpu) limits.cpu = draft.cpu->value;
  return limits;
}

void append_limits_keys(std::vector<std::string> &keys) {
  append_keys<LimitsDraft>("workers[].limits.", kLimitsFields, keys);
}

}  // namespace hostler
