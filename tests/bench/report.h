/// All rounds of all cells, and how they are shown: a table for people, JSON for programs.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/bench/subject.h"

namespace kaido::bench {

/// One cell: a subject with so many clients, each with so many calls in flight.
struct Cell {
  std::string subject;
  std::size_t clients = 1;
  std::size_t window = 1;
  std::vector<Sample> rounds;
};

/// What a daemon costs while nothing happens.
struct IdleCost {
  double resident_megabytes = 0;
  double core_percent = 0;
};

class Report {
 public:
  /// The cell is made at its first mention; the order of mention is the order of the table.
  void add(const Subject& subject, std::size_t window, const Sample& sample);
  void set_idle(const IdleCost& idle) { idle_ = idle; }
  /// Further tables, below the cells' and under this name in the JSON.
  void add_section(const std::string& name, Measurements measurements) {
    sections_.emplace_back(name, std::move(measurements));
  }

  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }

  /// Name → ratio, for those whose two sides were measured.
  [[nodiscard]] std::map<std::string, double> ratios() const;

  [[nodiscard]] std::string table() const;
  [[nodiscard]] std::string json() const;

 private:
  void add_cells(std::string& text) const;
  [[nodiscard]] const Cell* find(const std::string& subject, std::size_t window) const;

  std::vector<Cell> cells_;
  IdleCost idle_;
  std::vector<std::pair<std::string, Measurements>> sections_;
};

}  // namespace kaido::bench
