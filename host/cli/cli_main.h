// The command line: from arguments to a command and its exit code.
#pragma once

namespace hostler {

// Returns the exit code of the process. Failures are told on standard error.
int cli_main(int argc, char **argv);

}  // namespace hostler
