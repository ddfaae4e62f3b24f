/// What the client says and hears in protobuf: between the public types and kaido.v1's messages.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <kaido/detail/pending_call.h>
#include <kaido/error.h>
#include <kaido/placement.h>

#include "proto/wire/frame.h"
#include "proto/wire/outcome.h"
#include "sdk/function/function_table.h"

namespace kaido::detail {

[[nodiscard]] ErrorKind to_error_kind(wire::Outcome outcome);
[[nodiscard]] wire::Outcome to_outcome(ErrorKind kind);

[[nodiscard]] std::string hello_message(const std::string& app_name);
[[nodiscard]] std::string register_message(const FunctionTable& functions, std::uint32_t slots);
/// `rules` null: the default ones.
[[nodiscard]] std::string prepare_message(const CallTarget& target, const PlacementData* rules);
[[nodiscard]] std::string error_message(const Error& error);
[[nodiscard]] std::string goodbye_message(std::string_view reason);

/// The error of a Result frame whose status is not "succeeded".
[[nodiscard]] Error to_error(const wire::FrameView& result);

/// "<first digits of the origin>-<epoch>-<sequence>" of a CallInfo; empty if it is malformed.
[[nodiscard]] std::string task_text(std::span<const std::byte> call_info);

}  // namespace kaido::detail
