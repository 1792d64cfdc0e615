// The macros of the veneer hide no function of the author's, whatever it is called.
#include <hostler/plugin.hpp>

HOSTLER_PLUGIN("names", "1.0.0", 0);

static void work(hostler::Slice &) {}
static void slice(hostler::Slice &) {}
static void results(hostler::Slice &, hostler::Results &) {}

HOSTLER_RUN(work)
HOSTLER_PREPARE(slice)
HOSTLER_MERGE(results)
