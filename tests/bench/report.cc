#include "tests/bench/report.h"

#include <fmt/format.h>

#include <iterator>

#include "tests/bench/stats.h"

namespace kaido::bench {
namespace {

std::vector<double> column(const Cell& cell, double Sample::* member) {
  std::vector<double> values;
  for (const Sample& sample : cell.rounds) values.push_back(sample.*member);
  return values;
}

std::string shown(const Cell& cell, double Sample::* member) {
  const Spread spread = spread_of(column(cell, member));
  if (spread.max == 0) return "–";
  return fmt::format("{} ({}–{})", short_number(spread.median), short_number(spread.min), short_number(spread.max));
}

std::string json_of(const Cell& cell, double Sample::* member) {
  const Spread spread = spread_of(column(cell, member));
  return fmt::format(R"({{"median": {:.4f}, "min": {:.4f}, "max": {:.4f}}})", spread.median, spread.min, spread.max);
}

/// What is divided by what. Latency ratios want to be small, throughput ratios large.
struct Ratio {
  const char* name;
  const char* subject;
  const char* base;
  std::size_t window;
  double Sample::* member;
};

constexpr Ratio kRatios[] = {
    {"local_p50_over_floor", "kaido", "floor", 1, &Sample::p50_us},
    {"local_p99_over_floor", "kaido", "floor", 1, &Sample::p99_us},
    {"local_w16_over_floor", "kaido", "floor", 16, &Sample::calls_per_second},
    {"local_w64_over_floor", "kaido", "floor", 64, &Sample::calls_per_second},
    {"local_w256_over_floor", "kaido", "floor", 256, &Sample::calls_per_second},
    {"local_16x4_over_floor", "kaido-16x4", "floor-16x4", 64, &Sample::calls_per_second},
    {"local_w64_over_grpc_stream", "kaido", "grpc-stream", 64, &Sample::calls_per_second},
    {"local_w64_over_grpc_unary", "kaido", "grpc-unary", 64, &Sample::calls_per_second},
    {"local_w64_over_grpc_proxy", "kaido", "grpc-proxy", 64, &Sample::calls_per_second},
    {"local_cpu_w1_over_floor", "kaido", "floor", 1, &Sample::cpu_seconds_per_million},
    {"local_cpu_w16_over_floor", "kaido", "floor", 16, &Sample::cpu_seconds_per_million},
    {"local_cpu_w64_over_floor", "kaido", "floor", 64, &Sample::cpu_seconds_per_million},
    {"local_cpu_w256_over_floor", "kaido", "floor", 256, &Sample::cpu_seconds_per_million},
    {"local_cpu_16x4_over_floor", "kaido-16x4", "floor-16x4", 64, &Sample::cpu_seconds_per_million},
    {"remote_p50_over_local", "kaido-2-nodes", "kaido", 1, &Sample::p50_us},
    {"remote_w16_over_local", "kaido-2-nodes", "kaido", 16, &Sample::calls_per_second},
    {"remote_w64_over_local", "kaido-2-nodes", "kaido", 64, &Sample::calls_per_second},
    {"remote_w256_over_local", "kaido-2-nodes", "kaido", 256, &Sample::calls_per_second},
    {"remote_cpu_w64_over_local", "kaido-2-nodes", "kaido", 64, &Sample::cpu_seconds_per_million},
};

}  // namespace

void Report::add(const Subject& subject, std::size_t window, const Sample& sample) {
  for (Cell& cell : cells_) {
    if (cell.subject == subject.name() && cell.window == window) return cell.rounds.push_back(sample);
  }
  cells_.push_back(Cell{.subject = subject.name(), .clients = subject.clients(), .window = window, .rounds = {sample}});
}

const Cell* Report::find(const std::string& subject, std::size_t window) const {
  for (const Cell& cell : cells_) {
    if (cell.subject == subject && cell.window == window) return &cell;
  }
  return nullptr;
}

std::map<std::string, double> Report::ratios() const {
  std::map<std::string, double> found;
  for (const Ratio& ratio : kRatios) {
    const Cell* subject = find(ratio.subject, ratio.window);
    const Cell* base = find(ratio.base, ratio.window);
    if (subject == nullptr || base == nullptr) continue;
    found[ratio.name] = ratio_of(column(*subject, ratio.member), column(*base, ratio.member));
  }
  return found;
}

std::string Report::table() const {
  std::string text;
  if (!cells_.empty()) add_cells(text);
  for (const auto& [name, measurements] : sections_)
    text += (text.empty() ? "" : "\n") + name + ": " + measurements.table();
  return text;
}

void Report::add_cells(std::string& text) const {
  text += fmt::format("{:<16}{:>8}{:>7}  {:<26}{:<26}{:<30}{}\n", "subject", "clients", "window", "p50 us", "p99 us",
                      "calls/s", "CPU s per million");
  for (const Cell& cell : cells_) {
    fmt::format_to(std::back_inserter(text), "{:<16}{:>8}{:>7}  {:<26}{:<26}{:<30}{}\n", cell.subject, cell.clients,
                   cell.window, shown(cell, &Sample::p50_us), shown(cell, &Sample::p99_us),
                   shown(cell, &Sample::calls_per_second), shown(cell, &Sample::cpu_seconds_per_million));
  }
  if (idle_.resident_megabytes > 0) {
    fmt::format_to(std::back_inserter(text),
                   "\nidle daemon (one peer, one app): {:.1f} MB resident, {:.3f} % of a core\n",
                   idle_.resident_megabytes, idle_.core_percent);
  }
  text += "\nratios (medians of the rounds' ratios)\n";
  for (const auto& [name, value] : ratios()) {
    fmt::format_to(std::back_inserter(text), "  {:<30}{:.2f}\n", name, value);
  }
}

std::string Report::json() const {
  std::string text = "{\n  \"results\": [\n";
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const Cell& cell = cells_[i];
    fmt::format_to(
        std::back_inserter(text),
        R"(    {{"subject": "{}", "clients": {}, "in_flight": {}, "rounds": {}, "p50_us": {}, "p99_us": {}, )"
        R"("calls_per_second": {}, "cpu_seconds_per_million": {}}}{})",
        cell.subject, cell.clients, cell.window, cell.rounds.size(), json_of(cell, &Sample::p50_us),
        json_of(cell, &Sample::p99_us), json_of(cell, &Sample::calls_per_second),
        json_of(cell, &Sample::cpu_seconds_per_million), i + 1 < cells_.size() ? ",\n" : "\n");
  }
  text += "  ],\n  \"ratios\": {";
  const char* separator = "";
  for (const auto& [name, value] : ratios()) {
    fmt::format_to(std::back_inserter(text), "{}\n    \"{}\": {:.4f}", separator, name, value);
    separator = ",";
  }
  fmt::format_to(std::back_inserter(text),
                 "\n  }},\n  \"idle\": {{\"resident_megabytes\": {:.2f}, \"core_percent\": {:.4f}}}",
                 idle_.resident_megabytes, idle_.core_percent);
  for (const auto& [name, measurements] : sections_) text += ",\n\"" + name + "\": " + measurements.json();
  text += "\n}\n";
  return text;
}

}  // namespace kaido::bench
