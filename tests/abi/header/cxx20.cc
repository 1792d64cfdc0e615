#include "frozen.h"

#include <hostler/plugin.hpp>
