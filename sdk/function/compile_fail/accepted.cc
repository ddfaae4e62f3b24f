// compiles
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <kaido/function.h>

struct Part {
  std::string name;
  std::unique_ptr<Part> inner;
  std::variant<int, std::vector<double>> size;
};

std::map<std::string, Part> assemble(std::string_view name, const std::vector<Part>& parts, Part&& lid,
                                     std::chrono::system_clock::time_point when,
                                     std::vector<std::string_view> tags = {});
KAIDO_FUNCTION(assemble);
