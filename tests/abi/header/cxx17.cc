#include "frozen.h"
