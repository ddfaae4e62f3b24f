/// What the client says and hears in protobuf: between the public types and kaido.v1's messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <kaido/detail/pending_call.h>
#include <kaido/error.h>
#include <kaido/placement.h>

#include "proto/wire/body.h"
#include "proto/wire/frame.h"
#include "proto/wire/outcome.h"
#include "sdk/function/function_table.h"

namespace kaido::inline abi0::detail {

/// What an error may take: its message, its exception's type, and its reasons in all. The sum fits the smallest frame
/// that a node may be set to take. Raising one lets a function's text cost every hop more.
inline constexpr std::size_t kMaxErrorTextBytes = 32U << 10;
inline constexpr std::size_t kMaxExceptionTypeBytes = 2U << 10;
inline constexpr std::size_t kMaxReasonsBytes = 16U << 10;

/// How many calls a program takes at once.
struct SlotCounts {
  std::uint32_t compute = 0;  ///< of functions that compute
  std::uint32_t task = 0;     ///< of functions that return a Task
};

[[nodiscard]] ErrorKind to_error_kind(wire::Outcome outcome);
[[nodiscard]] wire::Outcome to_outcome(ErrorKind kind);

[[nodiscard]] std::string hello_message(const std::string& app_name);
[[nodiscard]] std::string register_message(const FunctionTable& functions, SlotCounts slots);
/// Why the node could not take a call with these names; nothing if it can.
[[nodiscard]] std::optional<std::string> placement_problem(const CallTarget& target, const PlacementRules* rules);
/// `rules` null: the default ones.
[[nodiscard]] std::string prepare_message(const CallTarget& target, const PlacementRules* rules);
/// Texts that are not UTF-8 or too long are mended.
[[nodiscard]] std::string error_message(const Error& error);
[[nodiscard]] std::string goodbye_message(std::string_view reason);

/// The error of a Result frame whose status is not "succeeded".
[[nodiscard]] Error to_error(const wire::FrameView& result);

/// Why a call has no arguments, or no result: they came in chunks, and not all of them.
[[nodiscard]] Error to_error(const FunctionFacts& function, wire::BodyFailure failure);

/// "<first digits of the origin>-<epoch>-<sequence>" of a CallInfo; empty if it is malformed.
[[nodiscard]] std::string task_text(std::span<const std::byte> call_info);

}  // namespace kaido::inline abi0::detail
