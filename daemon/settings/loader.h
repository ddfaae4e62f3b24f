/// From YAML text to checked Settings, or to a list of everything that is wrong with it.
///
///   LoadResult loaded = load_settings_file("/etc/kaido/kaidod.yaml", host_facts(current_process_facts()));
///   if (!loaded.ok()) { std::cerr << loaded.report(); return kExitConfig; }
///   const Settings& settings = loaded.settings;
///
/// All problems of a file are found in one run. Each names its place and what to do about it:
///   kaidod.yaml:3:5: unknown key "nmae" in "node"; did you mean "name"?
///
/// Bounds, against files that are hostile or broken: size kMaxSettingsBytes, nesting kMaxSettingsDepth, values
/// kMaxSettingsNodes; anchors and aliases are refused, so that a small file cannot stand for a large one.
///
/// Threading: pure functions of their arguments (load_settings_file reads the one file).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/settings/default_paths.h"
#include "daemon/settings/settings.h"

namespace kaido::daemon {

inline constexpr std::size_t kMaxSettingsBytes = 1U << 20;
inline constexpr std::size_t kMaxSettingsDepth = 32;
inline constexpr std::size_t kMaxSettingsNodes = 20'000;
/// After so many the rest is not listed: nobody reads more, and a hostile file must not make us write them.
inline constexpr std::size_t kMaxProblems = 100;

/// One complaint. Line and column count from 1; 0 where the complaint is about the file as a whole.
struct Problem {
  std::string file;
  int line = 0;
  int column = 0;
  std::string message;  // what, and what to do; no trailing period

  bool operator==(const Problem&) const = default;
};

/// "file:line:column: message", without what is 0.
[[nodiscard]] std::string to_string(const Problem& problem);

struct LoadResult {
  Settings settings;              // complete only if ok()
  std::vector<Problem> problems;  // in the order of the file

  [[nodiscard]] bool ok() const { return problems.empty(); }

  /// One problem per line, each with a line break.
  [[nodiscard]] std::string report() const;
};

/// Settings from a text; `name` stands for it in problems. What the text does not set has its default.
[[nodiscard]] LoadResult load_settings(std::string_view text, std::string_view name, const HostFacts& host);

/// The same from a file; one that cannot be read is a problem like any other.
[[nodiscard]] LoadResult load_settings_file(const std::string& path, const HostFacts& host);

}  // namespace kaido::daemon
