/// What the loader has found wrong so far, and where each setting stands.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/settings/yaml_tree.h"

namespace kaido::daemon {

/// Threading: confined to one load.
class Complaints {
 public:
  void add(Mark mark, std::string message) { problems_.push_back({mark, std::move(message)}); }

  /// A complaint about the value of a setting, which later checks then leave alone.
  void add_about(std::string_view path, Mark mark, std::string message) {
    bad_.insert(std::string(path));
    add_about_entry(path, mark, std::move(message));
  }

  /// The same about an entry of a list or mapping, like "peers[2]": the others stay good.
  void add_about_entry(std::string_view path, Mark mark, std::string message) {
    add(mark, "\"" + std::string(path) + "\": " + std::move(message));
  }

  void set_place(std::string path, Mark mark) { places_.insert_or_assign(std::move(path), mark); }

  /// Where it was set; null if it has its default.
  [[nodiscard]] const Mark* place(const std::string& path) const {
    const auto found = places_.find(path);
    return found == places_.end() ? nullptr : &found->second;
  }

  [[nodiscard]] bool is_bad(const std::string& path) const { return bad_.contains(path); }
  [[nodiscard]] const std::vector<YamlProblem>& problems() const { return problems_; }

 private:
  std::vector<YamlProblem> problems_;
  std::map<std::string, Mark> places_;
  std::set<std::string> bad_;
};

/// Under which the n-th good address of "peers" is remembered: the list in the file may hold bad ones too.
[[nodiscard]] inline std::string peer_place(std::size_t index) { return "peers#" + std::to_string(index); }

/// For messages: text of a file in quotes, cut if long.
[[nodiscard]] inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMax = 60;
  if (text.size() <= kMax) return "\"" + std::string(text) + "\"";
  std::size_t end = kMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a UTF-8 sequence
  return "\"" + std::string(text.substr(0, end)) + "…\"";
}

}  // namespace kaido::daemon
