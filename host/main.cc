// One binary, four programs: the command line, the template that the host executes, the throwaway child that inspects a
// plugin, and the one that runs a slice again. The only place that picks our own exit code.
#include <string_view>

#include "cli/cli_main.h"
#include "worker/inspect_main.h"
#include "worker/replay_main.h"
#include "worker/template_main.h"

int main(int argc, char **argv) {
  const std::string_view program = argc > 0 ? argv[0] : "";
  if (program.starts_with("hostler: template")) return hostler::template_main(argc, argv);
  if (argc > 1 && std::string_view(argv[1]) == hostler::kInspectCommand) return hostler::inspect_main(argc, argv);
  if (argc > 1 && std::string_view(argv[1]) == hostler::kReplayCommand) hostler::replay_main(argc, argv);
  return hostler::cli_main(argc, argv);
}
