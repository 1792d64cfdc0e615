#include "edge/text_file.h"

#include <fstream>
#include <sstream>

namespace hostler {

std::string read_text(const std::string &path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace hostler
