// A plugin's file, looked at by the host before anybody loads it.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edge/elf_file.h"
#include "edge/unique_fd.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace hostler;
  const UniqueFd file(::memfd_create("plugin", MFD_CLOEXEC));
  if (!file || ::pwrite(file.get(), data, size, 0) != static_cast<ssize_t>(size)) return 0;
  const auto elf = read_elf(file.get());
  if (!elf) require(!elf.error().what.empty(), "an error has words");
  return 0;
}
