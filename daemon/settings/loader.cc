#include "daemon/settings/loader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "daemon/settings/complaints.h"
#include "daemon/settings/cross_checks.h"
#include "daemon/settings/names.h"
#include "daemon/settings/schema.h"
#include "daemon/settings/values.h"
#include "daemon/settings/yaml_tree.h"

namespace kaido::daemon {
namespace {

const SettingKey* find_key(std::string_view section, std::string_view name) {
  for (const SettingKey& key : settings_schema()) {
    if (key.section() == section && key.name() == name) return &key;
  }
  return nullptr;
}

bool is_section(std::string_view name) {
  const auto schema = settings_schema();
  return std::any_of(schema.begin(), schema.end(),
                     [name](const SettingKey& key) { return !key.section().empty() && key.section() == name; });
}

/// What may stand in a section; at the top level that includes the sections themselves.
std::vector<std::string_view> known_names(std::string_view section) {
  std::vector<std::string_view> names;
  for (const SettingKey& key : settings_schema()) {
    const std::string_view name = section.empty() && !key.section().empty() ? key.section() : key.name();
    if (key.section() != section && !section.empty()) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

/// The nearest of `names`, if it is near enough to have been meant.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& names) {
  constexpr std::size_t kMaxNameBytes = 64;  // longer ones are not typing errors, and distances cost their product
  if (name.size() > kMaxNameBytes) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string_view candidate : names) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string advice_for_unknown(std::string_view section, std::string_view name) {
  if (name == "<<") return "merge keys are not supported, write the values out";
  const std::vector<std::string_view> known = known_names(section);
  if (const std::string_view near = nearest(name, known); !near.empty())
    return "did you mean \"" + std::string(near) + "\"?";
  for (const SettingKey& key : settings_schema()) {
    if (key.name() != name) continue;
    return key.section().empty() ? "it belongs at the top level"
                                 : "it belongs under \"" + std::string(key.section()) + "\"";
  }
  std::string list;
  for (const std::string_view candidate : known) list += (list.empty() ? "" : ", ") + std::string(candidate);
  return "known here: " + list;
}

/// Reads one mapping of the file: the top level (an empty section name) or a section.
void read_section(std::string_view section, const YamlNode& mapping, Settings& settings, Complaints& complaints) {
  const std::string where = section.empty() ? "at the top level" : "in \"" + std::string(section) + "\"";
  if (mapping.kind == YamlNode::Kind::kNull) return;  // everything in it is commented out
  if (mapping.kind != YamlNode::Kind::kMapping) {
    complaints.add(mapping.mark, (section.empty() ? std::string("the file") : in_quotes(section)) +
                                     " must be a mapping; write one \"key: value\" per line");
    return;
  }
  for (std::size_t i = 0; i < mapping.values.size(); ++i) {
    const YamlNode& name = mapping.keys[i];
    if (complain_about_repetition(mapping, i, complaints)) continue;
    if (name.kind != YamlNode::Kind::kScalar) {
      complaints.add(name.mark, "a key " + where + " must be a plain name; write \"key: value\"");
    } else if (const SettingKey* key = find_key(section, name.text)) {
      read_value(*key, mapping.values[i], settings, complaints);
    } else if (section.empty() && is_section(name.text)) {
      read_section(name.text, mapping.values[i], settings, complaints);
    } else {
      complaints.add(name.mark, "unknown key " + in_quotes(name.text) + " " + where + "; " +
                                    advice_for_unknown(section, name.text));
    }
  }
}

std::vector<Problem> to_problems(std::vector<YamlProblem> found, std::string_view file) {
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.mark < b.mark; });
  std::vector<Problem> problems;
  for (YamlProblem& problem : found) {
    if (problems.size() == kMaxProblems) {
      problems.push_back(
          {std::string(file), 0, 0,
           std::to_string(found.size() - kMaxProblems) + " more problems are not listed; mend these first"});
      break;
    }
    problems.push_back({std::string(file), problem.mark.line, problem.mark.column, std::move(problem.message)});
  }
  return problems;
}

LoadResult failed_to_read(const std::string& path, const std::string& reason, const HostFacts& host) {
  return {default_settings(host), {{path, 0, 0, "cannot be read: " + reason + "; check the path and its permissions"}}};
}

}  // namespace

std::string to_string(const Problem& problem) {
  std::string text = problem.file;
  if (problem.line > 0) text += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
  return text + ": " + problem.message;
}

std::string LoadResult::report() const {
  std::string text;
  for (const Problem& problem : problems) text += to_string(problem) + "\n";
  return text;
}

LoadResult load_settings(std::string_view text, std::string_view name, const HostFacts& host) {
  LoadResult result;
  result.settings = default_settings(host);
  YamlTree tree = parse_yaml(text);
  Complaints complaints;
  read_section("", tree.root, result.settings, complaints);
  // Half a file says nothing about how its settings fit together, nor its last lines about what was meant.
  if (!tree.stopped_at) check_across(result.settings, complaints);
  std::vector<YamlProblem> found = std::move(tree.problems);
  for (const YamlProblem& problem : complaints.problems()) {
    if (!tree.stopped_at || problem.mark.line < tree.stopped_at->line) found.push_back(problem);
  }
  result.problems = to_problems(std::move(found), name);
  return result;
}

LoadResult load_settings_file(const std::string& path, const HostFacts& host) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return failed_to_read(path, "it is a folder", host);
  std::ifstream file(path, std::ios::binary);
  if (!file) return failed_to_read(path, std::strerror(errno), host);
  // One byte beyond the bound is enough for parse_yaml to refuse it, however long the file is.
  std::string text(kMaxSettingsBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return failed_to_read(path, std::strerror(errno), host);
  text.resize(static_cast<std::size_t>(file.gcount()));
  return load_settings(text, path, host);
}

}  // namespace kaido::daemon
