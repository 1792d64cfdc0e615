// What most files include, read once a build. Each file includes what it uses all the same: for a release and for clang-tidy,
// nothing is precompiled.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include <tl/expected.hpp>
