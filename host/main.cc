// One binary, three programs: the command line, the template that the host executes, and the throwaway child that
// inspects a plugin. The only place that picks our own exit code.
#include <string_view>

#include "cli/cli_main.h"
#include "worker/inspect_main.h"
#include "worker/template_main.h"

int main(int argc, char **argv) {
  const std::string_view program = argc > 0 ? argv[0] : "";
  if (program.starts_with("hostler: template")) return hostler::template_main(argc, argv);
  if (argc > 1 && std::string_view(argv[1]) == hostler::kInspectCommand) return hostler::inspect_main(argc, argv);
  return hostler::cli_main(argc, argv);
}
