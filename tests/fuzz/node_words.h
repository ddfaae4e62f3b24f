/// What apps and peers say to a node in order, as the fuzzer says it: well-formed messages of a few variants each.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/core/node/machine.h"

namespace kaido::daemon::testing {

/// Nodes have numbers from 1 on, which their names and ids follow from. This node's id lies between the others'.
inline constexpr std::uint8_t kSelfNumber = 2;
inline constexpr std::uint8_t kHighestNumber = 4;
[[nodiscard]] base::NodeId node_id(std::uint8_t who);

/// With small bounds, so that all of them are met.
[[nodiscard]] NodeMachineOptions small_node();

// Each byte of choice picks a variant; equal choices give equal texts, made once.
[[nodiscard]] const std::string& hello_text();
[[nodiscard]] const std::string& register_text(std::uint8_t choice);
[[nodiscard]] const std::string& prepare_text(std::uint8_t choice);
[[nodiscard]] const std::string& peer_hello_text(std::uint8_t who, std::uint8_t choice);
[[nodiscard]] const std::string& peer_welcome_text();
/// `life` is the choice of the hello whose life it repeats.
[[nodiscard]] const std::string& node_info_text(std::uint8_t who, std::uint8_t life, std::uint8_t choice);
[[nodiscard]] const std::string& node_info_delta_text(std::uint8_t choice);
[[nodiscard]] const std::string& error_text(std::uint8_t choice);
[[nodiscard]] const std::string& redirect_text(std::uint8_t choice);
[[nodiscard]] const std::string& goodbye_text(bool replaced);
[[nodiscard]] PlacementSpec placement(std::uint8_t choice);

}  // namespace kaido::daemon::testing
