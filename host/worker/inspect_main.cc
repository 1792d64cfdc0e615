#include "worker/inspect_main.h"

#include <sys/prctl.h>
#include <unistd.h>
#include <csignal>

#include <string>

#include "core/plugin_facts.h"
#include "worker/plugin_loader.h"

namespace hostler {
namespace {

PluginFacts inspect(const std::string &library) {
  PluginFacts facts;
  const auto plugin = load_plugin(library, library.substr(library.rfind('/') + 1));
  if (!plugin) {
    facts.error = plugin.error().what;
    return facts;
  }
  facts.id = plugin->about->id;
  facts.version = plugin->about->version;
  facts.flags = plugin->about->flags;
  facts.state_version = plugin->about->state_version;
  facts.has_prepare = plugin->prepare != nullptr;
  facts.has_merge = plugin->merge != nullptr;
  return facts;
}

}  // namespace

int inspect_main(int argc, char **argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc != 3) return 2;
  const std::string text = format_facts(inspect(argv[2]));
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = ::write(kInspectFd, text.data() + written, text.size() - written);
    if (n <= 0) return 1;
    written += static_cast<std::size_t>(n);
  }
  ::_exit(0);  // no destructor of the plugin runs
}

}  // namespace hostler
