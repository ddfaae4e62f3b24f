#include "daemon/settings/reference.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <variant>

#include "daemon/settings/default_paths.h"
#include "daemon/settings/schema.h"
#include "daemon/settings/units.h"

namespace kaido::daemon {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

/// The host of the documents: a system daemon.
Settings documented_defaults() { return default_settings(HostFacts{"node-a", "/run/kaido", "/var/lib/kaido", true}); }

std::string join(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

/// What may be written: "10ms to 60s".
std::string range_of(const SettingType& type) {
  const std::string addresses = "`host:port`, `[v6]:port`, `unix:/path`";
  return std::visit(
      Overloaded{
          [](const BoolType&) -> std::string { return "true or false"; },
          [](const CountType& t) {
            return std::to_string(t.min) + " to " + std::to_string(t.max) + (t.zero_is_auto ? ", or auto" : "");
          },
          [](const SizeType& t) { return to_string(t.min) + " to " + to_string(t.max); },
          [](const DurationType& t) { return to_string(t.min) + " to " + to_string(t.max); },
          [](const NodeNameType&) -> std::string { return "letters, digits, `-`, `_`, `.`; up to 253"; },
          [](const PathType& t) { return "absolute path of up to " + std::to_string(t.max_bytes) + " bytes"; },
          [](const ModeType&) -> std::string { return "four octal digits"; },
          [&](const AddressType& t) { return (t.tcp_only ? "`host:port`, `[v6]:port`" : addresses) + ", or none"; },
          [&](const AddressListType& t) { return "list of up to " + std::to_string(t.max) + ": " + addresses; },
          [](const TagsType& t) { return "mapping of up to " + std::to_string(t.max) + " keys to values"; },
          [](const TaintsType& t) {
            return "list of up to " + std::to_string(t.max) + "; effects: " + join(taint_effect_words());
          },
          [](const ChoiceType& t) { return join(t.words); },
      },
      type);
}

std::string octal(std::uint32_t mode) {
  std::string digits;
  for (int shift = 9; shift >= 0; shift -= 3) digits += static_cast<char>('0' + ((mode >> shift) & 7));
  return "\"" + digits + "\"";
}

/// The value as it would be written in the file.
std::string value_of(const SettingType& type, Settings& settings) {
  return std::visit(Overloaded{
                        [&](const BoolType& t) -> std::string { return t.field(settings) ? "true" : "false"; },
                        [&](const CountType& t) -> std::string {
                          const std::uint32_t value = t.field(settings);
                          return t.zero_is_auto && value == 0 ? "auto" : std::to_string(value);
                        },
                        [&](const SizeType& t) { return to_string(t.field(settings)); },
                        [&](const DurationType& t) { return to_string(t.field(settings)); },
                        [&](const NodeNameType& t) { return t.field(settings); },
                        [&](const PathType& t) { return t.field(settings); },
                        [&](const ModeType& t) { return octal(t.field(settings)); },
                        [&](const AddressType& t) -> std::string {
                          return t.field(settings) ? to_string(*t.field(settings)) : "none";
                        },
                        // Their defaults are empty; a default that is not would need its own spelling here.
                        [](const AddressListType&) -> std::string { return "[]"; },
                        [](const TagsType&) -> std::string { return "{}"; },
                        [](const TaintsType&) -> std::string { return "[]"; },
                        [&](const ChoiceType& t) { return std::string(t.words[t.get(settings)]); },
                    },
                    type);
}

/// `text` in lines of at most `width`, each behind `prefix`.
std::string wrap(std::string_view text, std::string_view prefix, std::size_t width) {
  std::string out;
  std::string line(prefix);
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (line.size() > prefix.size() && line.size() + 1 + word.size() > width) {
      out += line + "\n";
      line = prefix;
    }
    if (line.size() > prefix.size()) line += ' ';
    line += word;
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return out + line + "\n";
}

constexpr std::size_t kWidth = 100;

}  // namespace

std::string settings_reference_markdown() {
  Settings defaults = documented_defaults();
  std::string out;
  const SettingKey* previous = nullptr;
  for (const SettingKey& key : settings_schema()) {
    if (previous == nullptr || previous->section() != key.section()) {
      out += (previous == nullptr ? "### `" : "\n### `") +
             std::string(key.section().empty() ? key.name() : key.section()) + "`\n\n";
      out += std::string(section_doc(key.section())) + "\n\n";
      out += "| key | default | may be | meaning |\n|---|---|---|---|\n";
    }
    out += "| `" + std::string(key.path) + "` | `" + value_of(key.type, defaults) + "` | " + range_of(key.type) +
           " | " + std::string(key.doc) + " |\n";
    previous = &key;
  }
  return out;
}

std::string settings_reference_yaml() {
  Settings defaults = documented_defaults();
  std::string out =
      "# Every setting of kaidod with its default, as a system daemon on a host called node-a has it. Remove the \"#\" "
      "before\n"
      "# what you want to change; \"kaidod --check --config FILE\" tells what is wrong with a file without starting "
      "anything.\n"
      "# The reference is docs/operating/configuration.md.\n";
  const SettingKey* previous = nullptr;
  for (const SettingKey& key : settings_schema()) {
    const bool top_level = key.section().empty();
    if (previous == nullptr || previous->section() != key.section()) {
      out += "\n";
      if (!top_level) out += wrap(section_doc(key.section()), "# ", kWidth) + std::string(key.section()) + ":\n";
    }
    const std::string indent = top_level ? "" : "  ";
    out += wrap(key.doc, indent + "# ", kWidth);
    out += indent + "#" + std::string(key.name()) + ": " + value_of(key.type, defaults) + "\n";
    previous = &key;
  }
  return out;
}

}  // namespace kaido::daemon
