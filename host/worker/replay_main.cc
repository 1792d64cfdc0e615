#include "worker/replay_main.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <csignal>

#include <cstdlib>

#include <hostler/plugin.h>

#include "worker/channel.h"
#include "worker/crash_report.h"
#include "worker/shared_page.h"
#include "worker/worker_main.h"

namespace hostler {

void replay_main(int argc, char **argv) {
  if (argc != 4) ::_exit(HOSTLER_BAD_CONFIG);
  const int channel_fd = std::atoi(argv[2]);
  const int page_fd = std::atoi(argv[3]);
  catch_crashes();
  auto page = SharedPage::map(page_fd, 0);
  if (!page) ::_exit(HOSTLER_BAD_CONFIG);
  ::close(page_fd);
  page->set_stage(Stage::SetUp);
  ::prctl(PR_SET_NAME, argv[0]);
  Channel channel(channel_fd);
  run_worker(*page, channel, ::getppid());
}

}  // namespace hostler
