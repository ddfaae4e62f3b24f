#include "daemon/settings/values.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "daemon/settings/names.h"
#include "daemon/settings/units.h"

namespace kaido::daemon {
namespace {

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kMapping:
      return "a mapping (key: value)";
    case YamlNode::Kind::kList:
      return "a list";
  }
  return "something else";
}

std::string list_words(std::span<const std::string_view> words) {
  std::string list;
  for (const std::string_view& word : words) {
    if (!list.empty()) list += &word == &words.back() ? " or " : ", ";
    list += word;
  }
  return list;
}

std::string out_of_range(std::string_view text, const std::string& min, const std::string& max) {
  return std::string(text) + " is out of range; choose from " + min + " to " + max;
}

/// Reads one setting: an overload per type.
class ValueReader {
 public:
  ValueReader(const SettingKey& key, const YamlNode& node, Settings& settings, Complaints& complaints)
      : key_(key), node_(node), settings_(settings), complaints_(complaints) {}

  void operator()(const BoolType& type) {
    if (!is_unquoted_scalar("true or false")) return;
    if (node_.text != "true" && node_.text != "false") {
      complain(in_quotes(node_.text) +
               " is text here, since readers of YAML differ on yes, no, on and off; write true or false");
      return;
    }
    type.field(settings_) = node_.text == "true";
  }

  void operator()(const CountType& type) {
    if (!is_unquoted_scalar("a whole number")) return;
    if (type.zero_is_auto && node_.text == "auto") {
      type.field(settings_) = 0;
      return;
    }
    const auto parsed = parse_count(node_.text);
    if (const auto* error = std::get_if<ParseError>(&parsed)) {
      complain(in_quotes(node_.text) + ": " + error->message + (type.zero_is_auto ? ", or write auto" : ""));
      return;
    }
    const std::uint64_t value = std::get<std::uint64_t>(parsed);
    if (value < type.min || value > type.max) {
      complain(out_of_range(node_.text, std::to_string(type.min), std::to_string(type.max)) +
               (type.zero_is_auto ? ", or write auto" : ""));
      return;
    }
    type.field(settings_) = static_cast<std::uint32_t>(value);
  }

  void operator()(const SizeType& type) { read_with_unit(type, parse_bytes, "a size like 64MiB"); }
  void operator()(const DurationType& type) { read_with_unit(type, parse_duration, "a duration like 10s"); }

  void operator()(const NodeNameType& type) {
    if (!is_scalar(node_, "a name")) return;
    if (!is_node_name(node_.text)) {
      complain(
          in_quotes(node_.text) +
          " is not a name; use 1 to 253 letters, digits, \"-\", \"_\" or \".\", with a letter or digit first and last");
      return;
    }
    type.field(settings_) = node_.text;
  }

  void operator()(const PathType& type) {
    if (!is_scalar(node_, "a path")) return;
    if (!node_.text.starts_with('/')) {
      complain(in_quotes(node_.text) + " is not absolute; start it with \"/\" (\"~\" and variables are not expanded)");
    } else if (node_.text.size() > type.max_bytes) {
      complain("the path has " + std::to_string(node_.text.size()) + " bytes; at most " +
               std::to_string(type.max_bytes) + " are possible, choose a shorter one");
    } else {
      type.field(settings_) = node_.text;
    }
  }

  void operator()(const ModeType& type) {
    if (!is_scalar(node_, "permissions like \"0660\"")) return;
    const std::string& text = node_.text;
    const bool octal = text.size() == 4 && text[0] == '0' &&
                       std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; });
    if (!octal) {
      complain(in_quotes(text) + " is not a file mode; write four octal digits like \"0660\"");
      return;
    }
    std::uint32_t mode = 0;
    for (const char c : text) mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
    type.field(settings_) = mode;
  }

  void operator()(const AddressType& type) {
    if (!is_scalar(node_, "an address like 127.0.0.1:7600, or none")) return;
    if (node_.text == "none") {
      type.field(settings_).reset();
      return;
    }
    auto address = read_address(node_, key_.path, ", or write none");
    if (!address) return;
    if (type.tcp_only && address->kind == AddressSetting::Kind::kUnix) {
      complain("this cannot be a Unix socket; write host:port, like 127.0.0.1:7680, or none");
      return;
    }
    type.field(settings_) = std::move(*address);
  }

  void operator()(const AddressListType& type) {
    if (!is_container(YamlNode::Kind::kList, "a list of addresses: one \"- host:port\" per line")) return;
    if (is_too_long(node_.values.size(), type.max)) return;
    auto& addresses = type.field(settings_);
    addresses.clear();
    for (std::size_t i = 0; i < node_.values.size(); ++i) {
      const std::string path = std::string(key_.path) + "[" + std::to_string(i) + "]";
      if (!is_scalar(node_.values[i], "an address like 10.0.0.2:7600", path)) continue;
      auto address = read_address(node_.values[i], path, "");
      if (!address) continue;
      if (std::find(addresses.begin(), addresses.end(), *address) != addresses.end()) {
        complain_about(path, node_.values[i].mark,
                       in_quotes(node_.values[i].text) + " is in the list twice; remove one");
        continue;
      }
      complaints_.set_place(peer_place(addresses.size()), node_.values[i].mark);
      addresses.push_back(std::move(*address));
    }
  }

  void operator()(const TagsType& type) {
    if (!is_container(YamlNode::Kind::kMapping, "a mapping: one \"key: value\" per line")) return;
    if (is_too_long(node_.values.size(), type.max)) return;
    auto& tags = type.field(settings_);
    tags.clear();
    for (std::size_t i = 0; i < node_.keys.size(); ++i) {
      if (complain_about_repetition(node_, i, complaints_)) continue;
      const YamlNode& key = node_.keys[i];
      const std::string path = std::string(key_.path);
      if (!is_scalar(key, "a tag's key", path) || !is_good_label_key(key, path)) continue;
      if (!is_scalar(node_.values[i], "a tag's value; write \"\" for an empty one", path + "." + key.text)) continue;
      if (is_good_label_value(node_.values[i], path + "." + key.text)) tags.emplace(key.text, node_.values[i].text);
    }
  }

  void operator()(const TaintsType& type) {
    if (!is_container(YamlNode::Kind::kList, "a list: one \"- {key: ..., value: ..., effect: NoSchedule}\" per line"))
      return;
    if (is_too_long(node_.values.size(), type.max)) return;
    auto& taints = type.field(settings_);
    taints.clear();
    for (std::size_t i = 0; i < node_.values.size(); ++i) {
      read_taint(node_.values[i], std::string(key_.path) + "[" + std::to_string(i) + "]", taints);
    }
  }

  void operator()(const ChoiceType& type) {
    if (!is_scalar(node_, list_words(type.words))) return;
    const auto found = std::find(type.words.begin(), type.words.end(), node_.text);
    if (found == type.words.end()) {
      complain(in_quotes(node_.text) + " is not known; write " + list_words(type.words));
      return;
    }
    type.set(settings_, static_cast<std::size_t>(found - type.words.begin()));
  }

 private:
  void complain(std::string message) { complaints_.add_about(key_.path, node_.mark, std::move(message)); }

  /// About the setting, or about one entry of it.
  void complain_about(std::string_view path, Mark mark, std::string message) {
    if (path == key_.path) {
      complaints_.add_about(path, mark, std::move(message));
    } else {
      complaints_.add_about_entry(path, mark, std::move(message));
    }
  }

  bool is_scalar(const YamlNode& node, std::string_view expected) {
    return is_scalar(node, expected, std::string(key_.path));
  }

  bool is_scalar(const YamlNode& node, std::string_view expected, const std::string& path) {
    if (node.kind == YamlNode::Kind::kScalar) return true;
    const std::string found(kind_name(node));
    complain_about(path, node.mark,
                   node.kind == YamlNode::Kind::kNull
                       ? "has no value; write " + std::string(expected) + ", or remove the key to get the default"
                       : "is " + found + "; write " + std::string(expected));
    return false;
  }

  bool is_unquoted_scalar(std::string_view expected) {
    if (!is_scalar(node_, expected)) return false;
    if (node_.quoted)
      complain(in_quotes(node_.text) + " is text because of the quotes; write " + std::string(expected) +
               " without them");
    return !node_.quoted;
  }

  /// Null counts as an empty container: all its entries may be commented out.
  bool is_container(YamlNode::Kind kind, std::string_view expected) {
    if (node_.kind == kind || node_.kind == YamlNode::Kind::kNull) return true;
    complain("is " + std::string(kind_name(node_)) + "; write " + std::string(expected));
    return false;
  }

  bool is_too_long(std::size_t size, std::size_t max) {
    if (size <= max) return false;
    complain("has " + std::to_string(size) + " entries; at most " + std::to_string(max) + " are possible, remove some");
    return true;
  }

  template <class Type, class Parse>
  void read_with_unit(const Type& type, Parse parse, std::string_view expected) {
    if (!is_scalar(node_, expected)) return;
    const auto parsed = parse(node_.text);
    if (const auto* error = std::get_if<ParseError>(&parsed)) {
      complain(in_quotes(node_.text) + ": " + error->message);
      return;
    }
    const auto& value = *std::get_if<0>(&parsed);
    if (value < type.min || value > type.max) {
      complain(out_of_range(node_.text, to_string(type.min), to_string(type.max)));
      return;
    }
    type.field(settings_) = value;
  }

  std::optional<AddressSetting> read_address(const YamlNode& node, std::string_view path, std::string_view otherwise) {
    auto parsed = parse_address(node.text);
    if (const auto* error = std::get_if<ParseError>(&parsed)) {
      complain_about(path, node.mark,
                     in_quotes(node.text) + " is not an address; " + error->message + std::string(otherwise));
      return std::nullopt;
    }
    return std::get<AddressSetting>(std::move(parsed));
  }

  bool is_good_label_key(const YamlNode& node, const std::string& path) {
    if (is_label_key(node.text)) return true;
    complain_about(path, node.mark,
                   in_quotes(node.text) +
                       " cannot be a key; use up to 63 letters, digits, \"-\", \"_\" or \".\", with a letter "
                       "or digit first and last, after an optional \"domain/\"");
    return false;
  }

  bool is_good_label_value(const YamlNode& node, const std::string& path) {
    if (is_label_value(node.text)) return true;
    complain_about(path, node.mark,
                   in_quotes(node.text) +
                       " cannot be a value; use up to 63 letters, digits, \"-\", \"_\" or \".\", with a "
                       "letter or digit first and last, or \"\"");
    return false;
  }

  void read_taint(const YamlNode& node, const std::string& path, std::vector<TaintSetting>& taints) {
    constexpr std::array<std::string_view, 3> kKeys = {"key", "value", "effect"};
    if (node.kind != YamlNode::Kind::kMapping) {
      complain_about(
          path, node.mark,
          "is " + std::string(kind_name(node)) + "; write a taint as {key: ..., value: ..., effect: NoSchedule}");
      return;
    }
    TaintSetting taint;
    bool good = true;
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const YamlNode& key = node.keys[i];
      if (complain_about_repetition(node, i, complaints_)) {
        good = false;
      } else if (std::find(kKeys.begin(), kKeys.end(), key.text) == kKeys.end()) {
        complain_about(path, key.mark, "unknown key " + in_quotes(key.text) + "; a taint has " + list_words(kKeys));
        good = false;
      } else {
        good = read_taint_part(key.text, node.values[i], path + "." + key.text, taint) && good;
      }
    }
    if (good && taint.key.empty()) {
      complain_about(path, node.mark, "has no \"key\"; add one, like key: gpu");
      good = false;
    }
    if (good) taints.push_back(std::move(taint));
  }

  bool read_taint_part(std::string_view part, const YamlNode& node, const std::string& path, TaintSetting& taint) {
    if (!is_scalar(node, part == "effect" ? list_words(taint_effect_words()) : "text", path)) return false;
    if (part == "key") {
      taint.key = node.text;
      return is_good_label_key(node, path);
    }
    if (part == "value") {
      taint.value = node.text;
      return is_good_label_value(node, path);
    }
    const auto words = taint_effect_words();
    const auto found = std::find(words.begin(), words.end(), node.text);
    if (found == words.end()) {
      complain_about(path, node.mark, in_quotes(node.text) + " is not known; write " + list_words(words));
      return false;
    }
    taint.effect = static_cast<TaintEffect>(found - words.begin());
    return true;
  }

  const SettingKey& key_;
  const YamlNode& node_;
  Settings& settings_;
  Complaints& complaints_;
};

}  // namespace

void read_value(const SettingKey& key, const YamlNode& node, Settings& settings, Complaints& complaints) {
  complaints.set_place(std::string(key.path), node.mark);
  std::visit(ValueReader(key, node, settings, complaints), key.type);
}

bool complain_about_repetition(const YamlNode& mapping, std::size_t index, Complaints& complaints) {
  const YamlNode& key = mapping.keys[index];
  for (std::size_t i = 0; i < index; ++i) {
    const YamlNode& first = mapping.keys[i];
    if (first.kind != YamlNode::Kind::kScalar || key.kind != YamlNode::Kind::kScalar || first.text != key.text)
      continue;
    complaints.add(key.mark, in_quotes(key.text) + " is set twice; it was first set in line " +
                                 std::to_string(first.mark.line) + ", remove one of the two");
    return true;
  }
  return false;
}

}  // namespace kaido::daemon
