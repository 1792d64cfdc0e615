// The template: the host's own binary, executed once. It forks workers as the host's own children, and does nothing else:
// it holds a control socket, the fleet lock and the page file (core/template_messages.h), and dies with the host.
#pragma once

namespace hostler {

// The whole program; argv has spare room for titles. Ends with the control socket.
int template_main(int argc, char **argv);

}  // namespace hostler
