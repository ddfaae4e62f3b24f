/// The table of all settings: where each is written, of which type and range, and what it means.
///
/// Everything else follows from it: what the loader accepts, how it complains, the reference in
/// docs/operating/configuration.md and config/kaidod.yaml. Defaults are not repeated here: they are default_settings().
///
/// Threading: constants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/settings/settings.h"

namespace kaido::daemon {

struct BoolType {
  bool& (*field)(Settings&);
};

struct CountType {
  std::uint32_t& (*field)(Settings&);
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  bool zero_is_auto = false;  // written as "auto"; 0 itself is refused
};

struct SizeType {
  Bytes& (*field)(Settings&);
  Bytes min;
  Bytes max;
};

struct DurationType {
  Duration& (*field)(Settings&);
  Duration min;
  Duration max;
};

struct NodeNameType {
  std::string& (*field)(Settings&);
};

struct PathType {
  std::string& (*field)(Settings&);
  std::size_t max_bytes = 0;
};

struct ModeType {
  std::uint32_t& (*field)(Settings&);
};

/// "none" stands for no address.
struct AddressType {
  std::optional<AddressSetting>& (*field)(Settings&);
  bool tcp_only = false;
};

struct AddressListType {
  std::vector<AddressSetting>& (*field)(Settings&);
  std::size_t max = 0;
};

struct TagsType {
  std::map<std::string, std::string>& (*field)(Settings&);
  std::size_t max = 0;
};

struct TaintsType {
  std::vector<TaintSetting>& (*field)(Settings&);
  std::size_t max = 0;
};

/// One of a few words; the n-th stands for the n-th enumerator.
struct ChoiceType {
  std::span<const std::string_view> words;
  std::size_t (*get)(const Settings&);
  void (*set)(Settings&, std::size_t);
};

using SettingType = std::variant<BoolType, CountType, SizeType, DurationType, NodeNameType, PathType, ModeType,
                                 AddressType, AddressListType, TagsType, TaintsType, ChoiceType>;

struct SettingKey {
  std::string_view path;  // "section.key", or "key" at the top level
  SettingType type;
  std::string_view doc;  // what it is, and what raising and lowering it costs

  [[nodiscard]] std::string_view section() const;
  [[nodiscard]] std::string_view name() const;
};

/// All keys, section by section, in the order of the reference.
[[nodiscard]] std::span<const SettingKey> settings_schema();

/// What stands above a section in the reference and in config/kaidod.yaml.
[[nodiscard]] std::string_view section_doc(std::string_view section);

/// The spellings of TaintEffect, in its order.
[[nodiscard]] std::span<const std::string_view> taint_effect_words();

}  // namespace kaido::daemon
