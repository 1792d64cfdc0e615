/* make_text FILE BYTES: lines of about 100 bytes with a number in their second field. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *file = fopen(argv[1], "w");
  if (file == NULL) return 1;
  const int64_t bytes = atoll(argv[2]);
  uint64_t random = 88172645463325252U;
  for (int64_t written = 0, line = 0; written < bytes; line++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    written += fprintf(file, "%010" PRId64 "\t%" PRIu64 "\t%.*s\n", line, random % 100000, 60 + (int)(random >> 59),
                       "the quick brown fox jumps over the lazy dog while the five boxing wizards jump quickly again");
  }
  return fclose(file) == 0 ? 0 : 1;
}
