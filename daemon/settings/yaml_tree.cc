#include "daemon/settings/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <optional>
#include <sstream>
#include <utility>

#include "daemon/settings/loader.h"
#include "proto/base/utf8.h"

namespace kaido::daemon {
namespace {

/// Ends reading at a problem that makes the rest meaningless. Never leaves this file.
struct StopReading {
  YamlProblem problem;
};

Mark to_mark(const YAML::Mark& mark) { return mark.is_null() ? Mark{1, 1} : Mark{mark.line + 1, mark.column + 1}; }

/// Builds the tree from yaml-cpp's events. Children are collected in a stack of open containers, so that after an error
/// finish() can still close what was read so far.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(YamlTree& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      throw StopReading{
          {to_mark(mark), "a second document starts here; a settings file is one document, remove the \"---\""}};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    YamlNode node;
    node.mark = to_mark(mark);
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    complain(mark, "aliases are not supported; write the value out");
    YamlNode node;
    node.mark = to_mark(mark);
    add(std::move(node));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    YamlNode node;
    node.kind = YamlNode::Kind::kScalar;
    node.mark = to_mark(mark);
    node.text = value;
    node.quoted = tag == "!";  // so yaml-cpp marks what was quoted; "?" is plain
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, YamlNode::Kind::kMapping);
  }
  void OnMapEnd() override { close(); }

  /// Closes what is still open after an error.
  void finish() {
    while (!open_.empty()) close();
  }

 private:
  struct OpenContainer {
    YamlNode node;
    bool awaits_value = false;  // a mapping whose last key has no value yet
  };

  void complain(const YAML::Mark& mark, std::string message) {
    tree_.problems.push_back({to_mark(mark), std::move(message)});
    if (tree_.problems.size() >= kMaxProblems)
      throw StopReading{{to_mark(mark), "too many problems; the rest was not read"}};
  }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) complain(mark, "anchors are not supported; write the value where it is needed");
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") complain(mark, "YAML tags are not supported; remove the \"!...\"");
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (open_.size() >= kMaxSettingsDepth) {
      throw StopReading{{to_mark(mark), "nested deeper than " + std::to_string(kMaxSettingsDepth) +
                                            " levels (kMaxSettingsDepth); no setting needs that"}};
    }
    count(to_mark(mark));
    OpenContainer container;
    container.node.kind = kind;
    container.node.mark = to_mark(mark);
    open_.push_back(std::move(container));
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    if (open_.back().awaits_value) node.keys.pop_back();
    open_.pop_back();
    attach(std::move(node));
  }

  void add(YamlNode node) {
    count(node.mark);
    attach(std::move(node));
  }

  void attach(YamlNode node) {
    if (open_.empty()) {
      tree_.root = std::move(node);
      return;
    }
    OpenContainer& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kMapping && !parent.awaits_value) {
      parent.node.keys.push_back(std::move(node));
      parent.awaits_value = true;
    } else {
      parent.node.values.push_back(std::move(node));
      parent.awaits_value = false;
    }
  }

  void count(Mark mark) {
    if (++nodes_ > kMaxSettingsNodes) {
      throw StopReading{{mark, "more than " + std::to_string(kMaxSettingsNodes) +
                                   " values (kMaxSettingsNodes); no setting needs that"}};
    }
  }

  YamlTree& tree_;
  std::vector<OpenContainer> open_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

/// yaml-cpp takes some control characters for the end of the text and replaces what is not UTF-8: say so instead.
std::optional<YamlProblem> find_bad_character(std::string_view text) {
  Mark mark{1, 1};
  while (!text.empty()) {
    const base::Utf8Piece piece = base::first_utf8_piece(text);
    if (!piece.valid) return YamlProblem{mark, "this byte is not UTF-8; save the file as UTF-8"};
    const bool byte_order_mark = piece.code_point == 0xfeff && mark == Mark{1, 1};
    const bool space = piece.code_point == '\n' || piece.code_point == '\r' || piece.code_point == '\t';
    if (piece.is_control() && !space && !byte_order_mark) {
      return YamlProblem{mark, "an invisible control character stands here; remove it"};
    }
    mark = piece.code_point == '\n' ? Mark{mark.line + 1, 1} : Mark{mark.line, mark.column + 1};
    text.remove_prefix(piece.size);
  }
  return std::nullopt;
}

std::string_view line_of(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

/// yaml-cpp's own words, with help where they are known to puzzle.
std::string explain(const YAML::ParserException& exception, std::string_view text) {
  const std::string_view line = line_of(text, to_mark(exception.mark).line);
  const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
  if (indent.find('\t') != std::string_view::npos) return "a tab indents this line; YAML wants spaces, replace it";
  std::string message = "this is not YAML: " + exception.msg;
  if (exception.msg == YAML::ErrorMsg::MAP_VALUE || exception.msg == YAML::ErrorMsg::END_OF_MAP) {
    message += "; check the indentation here and above, and quote text that holds \": \"";
  }
  return message;
}

}  // namespace

YamlTree parse_yaml(std::string_view text) {
  YamlTree tree;
  const auto stop = [&tree](Mark mark, std::string message) {
    tree.stopped_at = mark;
    tree.problems.push_back({mark, std::move(message)});
  };
  if (text.size() > kMaxSettingsBytes) {
    stop({}, "larger than " + std::to_string(kMaxSettingsBytes) +
                 " bytes (kMaxSettingsBytes); this is hardly a settings file, check its name");
    return tree;
  }
  if (const auto problem = find_bad_character(text)) {
    stop(problem->mark, problem->message);
    return tree;
  }
  TreeBuilder builder(tree);
  try {
    std::istringstream input{std::string(text)};
    YAML::Parser parser(input);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const StopReading& stopped) {
    stop(stopped.problem.mark, stopped.problem.message);
  } catch (const YAML::ParserException& exception) {
    stop(to_mark(exception.mark), explain(exception, text));
  } catch (const YAML::Exception& exception) {
    stop(to_mark(exception.mark), "this is not YAML: " + exception.msg);
  }
  builder.finish();
  return tree;
}

}  // namespace kaido::daemon
