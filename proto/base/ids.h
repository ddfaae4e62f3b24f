/// The identities that daemon and SDK share: nodes, their epochs, tasks and functions.
///
/// Every type here is a plain value: it copies and compares, and formats itself for logs. None has a std::hash: apps
/// and peers choose them, and could choose thousands of one hash. std::map keeps them in order instead.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kaido::base {

/// A node's stable name for machines: 128 random bits, made at its first start and kept in its state folder.
struct NodeId {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const NodeId&) const = default;
  [[nodiscard]] bool is_nil() const { return *this == NodeId{}; }
};

/// 32 lower-case hexadecimal digits.
[[nodiscard]] std::string to_string(const NodeId& id);

/// Reads what to_string wrote; nothing else is accepted.
[[nodiscard]] std::optional<NodeId> parse_node_id(std::string_view text);

/// The same bytes as a protobuf `bytes` field; nothing but 16 bytes is accepted.
[[nodiscard]] std::string to_bytes(const NodeId& id);
[[nodiscard]] std::optional<NodeId> node_id_from_bytes(std::string_view bytes);

/// Grows at every start of a node, so that messages of its former life can be told apart.
struct Epoch {
  std::uint64_t value = 0;
  auto operator<=>(const Epoch&) const = default;
};

/// One life of a node: from a start of its daemon to its end. The nonce is drawn anew each time, so that two daemons
/// that share an identity (a copied disk image) are told apart although their epochs may be equal.
struct Life {
  Epoch epoch;
  std::uint64_t nonce = 0;
  auto operator<=>(const Life&) const = default;

  /// Whether losing `lost` ends this life too: it is the same one, or an earlier one.
  [[nodiscard]] bool ends_with(const Life& lost) const { return epoch < lost.epoch || *this == lost; }
};

/// One call of a function: the origin node, the origin's epoch, and a sequence number that is unique within them.
struct TaskId {
  NodeId origin;
  Epoch epoch;
  std::uint64_t sequence = 0;
  auto operator<=>(const TaskId&) const = default;
};

/// "<first 8 digits of the origin>-<epoch>-<sequence>": short enough for a log line, unique in practice.
[[nodiscard]] std::string to_string(const TaskId& id);

/// 16 lower-case hexadecimal digits, as function ids and fingerprints are written for people.
[[nodiscard]] std::string to_hex(std::uint64_t value);

/// 64 bits of a hash of a function's fully qualified name, computed by the SDK at compile time.
struct FunctionId {
  std::uint64_t value = 0;
  auto operator<=>(const FunctionId&) const = default;
};

/// A name's id, as docs/protocol/arguments.md has it: FNV-1a, then SplitMix64's finish. Names can be made for an id;
/// only by chance have two that mean something the same.
[[nodiscard]] constexpr FunctionId function_id_of(std::string_view name) {
  std::uint64_t z = 0xcbf29ce484222325ULL;
  for (const char c : name) z = (z ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return {z ^ (z >> 31)};
}

}  // namespace kaido::base
