#include <hostler/plugin.h>
#include <unistd.h>

HOSTLER_PLUGIN("write_in_constructor", "1.0.0", 0);

__attribute__((constructor)) static void write_everywhere(void) {
  static const char kGarbage[] = "id somebody else\nend\n\377\0garbage";
  for (int fd = 0; fd < 1024; fd++) {
    const ssize_t ignored = write(fd, kGarbage, sizeof kGarbage);
    (void)ignored;
  }
}

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_DONE;
}
