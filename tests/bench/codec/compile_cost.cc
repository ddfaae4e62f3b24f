#include "tests/bench/codec/compile_cost.h"

#include <stdlib.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kaido::bench {
namespace {

/// One of five shapes; those with a struct have one of their own each.
std::string function_of(int number) {
  const std::string n = std::to_string(number);
  switch (number % 5) {
    case 0:
      return "std::int64_t f" + n +
             "(std::int64_t id, std::string_view text, const std::vector<double>& values) {\n"
             "  return id + static_cast<std::int64_t>(text.size() + values.size()) + " +
             n + ";\n}\n";
    case 1:
      return "double f" + n +
             "(std::span<const double> values, double factor) {\n"
             "  return values.empty() ? factor : values[0] * " +
             n + ";\n}\n";
    case 2:
      return "std::string f" + n +
             "(const std::map<std::string, std::int32_t>& table, std::optional<int> limit) {\n"
             "  return limit ? std::to_string(*limit + " +
             n + ") : table.begin()->first;\n}\n";
    case 3:
      return "struct S" + n +
             " {\n  double x = 0;\n  std::string name;\n  std::vector<std::int32_t> marks;\n};\n"
             "S" +
             n + " f" + n + "(S" + n + " value) {\n  value.x += " + n + ";\n  return value;\n}\n";
    default:
      return "std::vector<std::string> f" + n +
             "(std::vector<std::string> words, bool sorted) {\n"
             "  if (sorted) words.resize(" +
             n + ");\n  return words;\n}\n";
  }
}

/// Of all children that have ended.
double cpu_seconds_of_children() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::string source_of(int functions) {
  std::string source =
      "#include <map>\n#include <optional>\n#include <string>\n#include <vector>\n\n#include <kaido/function.h>\n\n"
      "namespace generated {\n";
  for (int i = 0; i < functions; ++i) source += function_of(i);
  source += "}  // namespace generated\n";
  for (int i = 0; i < functions; ++i) source += "KAIDO_FUNCTION(generated::f" + std::to_string(i) + ");\n";
  return source;
}

std::optional<CompileCost> compile(int functions, const std::string& headers) {
  if (!std::filesystem::exists(headers + "/kaido/function.h")) return std::nullopt;
  char name[] = "/tmp/kaido-bench-XXXXXX";
  if (mkdtemp(name) == nullptr) return std::nullopt;
  const std::filesystem::path folder(name);
  const std::string source = folder / "functions.cc";
  const std::string object = folder / "functions.o";
  std::ofstream(source) << source_of(functions);

  const char* compiler = std::getenv("CXX");
  const std::string command = std::string(compiler == nullptr ? "g++" : compiler) + " -std=c++20 -O2 -I '" + headers +
                              "' -c '" + source + "' -o '" + object + "'";
  const double before = cpu_seconds_of_children();
  const int status = std::system(command.c_str());  // NOLINT(cert-env33-c): the compiler, as make calls it
  std::optional<CompileCost> cost;
  if (status == 0) {
    cost = CompileCost{.cpu_seconds = cpu_seconds_of_children() - before,
                       .object_bytes = std::filesystem::file_size(object)};
  }
  std::filesystem::remove_all(folder);
  return cost;
}

}  // namespace kaido::bench
