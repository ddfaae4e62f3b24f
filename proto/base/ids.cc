#include "proto/base/ids.h"

namespace kaido::base {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::optional<std::uint8_t> digit(char c) {
  const auto at = kDigits.find(c);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint8_t>(at);
}

}  // namespace

std::string to_string(const NodeId& id) {
  std::string text;
  text.reserve(32);
  for (const std::uint8_t byte : id.bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<NodeId> parse_node_id(std::string_view text) {
  NodeId id;
  if (text.size() != 2 * id.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    const auto high = digit(text[2 * i]);
    const auto low = digit(text[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return id;
}

std::string to_bytes(const NodeId& id) { return {id.bytes.begin(), id.bytes.end()}; }

std::optional<NodeId> node_id_from_bytes(std::string_view bytes) {
  NodeId id;
  if (bytes.size() != id.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(bytes[i]);
  return id;
}

std::string to_hex(std::uint64_t value) {
  std::string text(16, '0');
  for (auto digit = text.rbegin(); value != 0; value >>= 4) *digit++ = kDigits[value & 15];
  return text;
}

std::string to_string(const TaskId& id) {
  return to_string(id.origin).substr(0, 8) + "-" + std::to_string(id.epoch.value) + "-" + std::to_string(id.sequence);
}

}  // namespace kaido::base
