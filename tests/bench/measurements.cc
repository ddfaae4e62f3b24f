#include "tests/bench/measurements.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>

#include "tests/bench/stats.h"

namespace kaido::bench {

namespace {

void mention(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

void Measurements::add(const std::string& workload, const std::string& subject, double value) {
  mention(workloads_, workload);
  mention(subjects_, subject);
  for (Cell& cell : cells_) {
    if (cell.workload == workload && cell.subject == subject) {
      cell.rounds.push_back(value);
      return;
    }
  }
  cells_.push_back({workload, subject, {value}});
}

void Measurements::add_ratio(const std::string& name, const std::string& workload, const std::string& subject,
                             const std::string& base) {
  ratios_.push_back({name, workload, subject, base});
}

void Measurements::add_note(const std::string& name, const std::string& value) { notes_.emplace_back(name, value); }

const Measurements::Cell* Measurements::find(const std::string& workload, const std::string& subject) const {
  for (const Cell& cell : cells_) {
    if (cell.workload == workload && cell.subject == subject) return &cell;
  }
  return nullptr;
}

std::map<std::string, double> Measurements::ratios() const {
  std::map<std::string, double> found;
  for (const Ratio& ratio : ratios_) {
    const Cell* subject = find(ratio.workload, ratio.subject);
    const Cell* base = find(ratio.workload, ratio.base);
    if (subject != nullptr && base != nullptr) found[ratio.name] = ratio_of(subject->rounds, base->rounds);
  }
  return found;
}

std::string Measurements::table() const {
  constexpr int kNameWidth = 34;
  constexpr int kCellWidth = 30;
  std::string text = fmt::format("{}, median (min-max) of the rounds\n{:<{}}", unit_, "", kNameWidth);
  for (const auto& subject : subjects_) fmt::format_to(std::back_inserter(text), "{:<{}}", subject, kCellWidth);
  text += '\n';
  for (const auto& workload : workloads_) {
    fmt::format_to(std::back_inserter(text), "{:<{}}", workload, kNameWidth);
    for (const auto& subject : subjects_) {
      std::string shown = "-";
      if (const Cell* cell = find(workload, subject)) {
        const Spread spread = spread_of(cell->rounds);
        shown =
            fmt::format("{} ({}-{})", short_number(spread.median), short_number(spread.min), short_number(spread.max));
      }
      fmt::format_to(std::back_inserter(text), "{:<{}}", shown, kCellWidth);
    }
    text += '\n';
  }
  text += "\nratios (medians of the rounds' ratios)\n";
  for (const auto& [name, value] : ratios()) {
    fmt::format_to(std::back_inserter(text), "  {:<{}}{:.2f}\n", name, 50, value);
  }
  for (const auto& [name, value] : notes_) fmt::format_to(std::back_inserter(text), "{}: {}\n", name, value);
  return text;
}

std::string Measurements::json() const {
  std::string text = fmt::format("{{\n  \"unit\": \"{}\",\n  \"results\": [", escaped(unit_));
  const char* separator = "";
  for (const Cell& cell : cells_) {
    const Spread spread = spread_of(cell.rounds);
    fmt::format_to(
        std::back_inserter(text),
        "{}\n    {{\"workload\": \"{}\", \"subject\": \"{}\", \"rounds\": {}, \"median\": {:.4g}, \"min\": {:.4g}, "
        "\"max\": {:.4g}}}",
        separator, escaped(cell.workload), escaped(cell.subject), cell.rounds.size(), spread.median, spread.min,
        spread.max);
    separator = ",";
  }
  text += "\n  ],\n  \"ratios\": {";
  separator = "";
  for (const auto& [name, value] : ratios()) {
    fmt::format_to(std::back_inserter(text), "{}\n    \"{}\": {:.4f}", separator, escaped(name), value);
    separator = ",";
  }
  text += "\n  },\n  \"notes\": {";
  separator = "";
  for (const auto& [name, value] : notes_) {
    fmt::format_to(std::back_inserter(text), "{}\n    \"{}\": \"{}\"", separator, escaped(name), escaped(value));
    separator = ",";
  }
  text += "\n  }\n}\n";
  return text;
}

MeasureOptions parse_measure_options(int argc, char** argv) {
  MeasureOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--quick") {
      options.rounds = 1;
      options.milliseconds = 1;
      continue;
    }
    const bool known = name == "--json" || name == "--rounds" || name == "--milliseconds" || name == "--only";
    if (!known || i + 1 == argc) {
      throw std::runtime_error((known ? "no value for " : "unknown argument ") + name +
                               "; known: --json FILE, --rounds R, --milliseconds M, --only TEXT, --quick");
    }
    const std::string value = argv[++i];
    if (name == "--json") options.json = value;
    if (name == "--rounds") options.rounds = std::max(1, std::stoi(value));
    if (name == "--milliseconds") options.milliseconds = std::stod(value);
    if (name == "--only") options.only = value;
  }
  return options;
}

void publish(const Measurements& measurements, const MeasureOptions& options) {
  std::printf("%s", measurements.table().c_str());
  if (options.json.empty()) return;
  // `bazel run` starts programs in a folder of its own and says where it was called.
  const char* called_from = std::getenv("BUILD_WORKING_DIRECTORY");
  const auto path =
      called_from == nullptr ? std::filesystem::path(options.json) : std::filesystem::path(called_from) / options.json;
  std::ofstream stream(path);
  stream << measurements.json();
  if (!stream.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace kaido::bench
