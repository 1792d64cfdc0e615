/* What the limit loads: reports, waits to be asked to stop, and returns. */
#include <signal.h>

#include "board.h"

static volatile sig_atomic_t asked;

static void on_signal(int number) {
  (void)number;
  asked = 1;
}

__attribute__((visibility("default"))) int run(int64_t index, const char *board) {
  sigset_t block;
  sigset_t before;
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&block);
  sigaddset(&block, SIGTERM);
  sigprocmask(SIG_BLOCK, &block, &before);
  sigaction(SIGTERM, &action, NULL);
  board_report(board, index);
  while (!asked) sigsuspend(&before);
  return 0;
}
