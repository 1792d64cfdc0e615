#include "edge/own_memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace hostler {
namespace {

// What is mapped from the file and was never written to; the breakpoints of a debugger were, and are lost.
void give_back_code(const dl_phdr_info &program) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < program.dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = program.dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (program.dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t end = program.dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it is where the loader has put the segment
    ::madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
  }
}

}  // namespace

void give_back_memory() {
  // The loader names this program first.
  ::dl_iterate_phdr(
      [](dl_phdr_info *program, std::size_t, void *) {
        give_back_code(*program);
        return 1;
      },
      nullptr);
  ::malloc_trim(0);
}

}  // namespace hostler
