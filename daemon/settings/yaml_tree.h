/// YAML text as a small tree that remembers where everything stood.
///
/// Only what a settings file needs is accepted: one document of mappings, lists and scalars. Anchors, aliases, merge
/// keys, tags, control characters and further documents are problems, and so is whatever exceeds the bounds in
/// loader.h, which are checked while the text is read: nothing large is ever built from a hostile file.
///
/// Threading: pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kaido::daemon {

/// A place in the text; counts from 1.
struct Mark {
  int line = 0;
  int column = 0;
  auto operator<=>(const Mark&) const = default;
};

struct YamlNode {
  enum class Kind { kNull, kScalar, kMapping, kList };

  Kind kind = Kind::kNull;
  Mark mark;
  std::string text;              // kScalar
  bool quoted = false;           // kScalar: was written in quotes or as a block
  std::vector<YamlNode> keys;    // kMapping: in the order of the text, duplicates included
  std::vector<YamlNode> values;  // kMapping: as many as keys; kList: the items
};

struct YamlProblem {
  Mark mark;
  std::string message;
};

struct YamlTree {
  YamlNode root;  // with problems: what was read before the first that stops the reader
  std::vector<YamlProblem> problems;
  std::optional<Mark> stopped_at;  // where reading ended early
};

[[nodiscard]] YamlTree parse_yaml(std::string_view text);

}  // namespace kaido::daemon
