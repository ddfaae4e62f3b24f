#include "tests/support/temp_folder.h"

#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace kaido::test {

TempFolder::TempFolder() {
  std::string path = "/tmp/kaido-test-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("cannot create " + path);
  path_ = path;
}

TempFolder::~TempFolder() {
  std::error_code ignored;  // a leftover in /tmp fails no test
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::write(std::string_view name, std::string_view text) const {
  std::string path = *this / name;
  std::ofstream(path) << text;
  return path;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace kaido::test
