# What a worker starts in the background, and leaves to the host, is no zombie when it ends: it is reaped at once.
source "$(dirname "$0")/../lib.sh"

cat >jobs.c <<'END'
#include <errno.h>
#include <hostler/plugin.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
HOSTLER_PLUGIN("jobs", "1.0.0", 0);
int run(const hostler_slice_t *slice) {
  for (int i = 0; i < 300; i++) {
    int line[2];
    if (pipe(line) != 0) return HOSTLER_ERROR;
    const pid_t starter = fork();
    if (starter == 0) {
      const pid_t job = fork();
      if (job == 0) _exit(0);
      _exit(write(line[1], &job, sizeof job) == sizeof job ? 0 : 1);
    }
    pid_t job = 0;
    if (waitpid(starter, 0, 0) != starter || read(line[0], &job, sizeof job) != sizeof job) return HOSTLER_ERROR;
    close(line[0]);
    close(line[1]);
    while (kill(job, 0) == 0) usleep(1000);
  }
  return slice->host->should_stop(slice) == HOSTLER_GO_ON ? HOSTLER_DONE : HOSTLER_ERROR;
}
END
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o plugins/jobs.so jobs.c
workers <<'YAML'
workers:
  - plugin: jobs.so
YAML
exits 0 hostler up
wait_until '[ "$(entry jobs .state)" = finished ]' 60
exits 0 hostler down
assert_nobody_left
