/// Whether a caller and a worker that were built from different declarations of a function understand each other.
#pragma once

#include <optional>
#include <string>

#include "daemon/core/schema/schema.h"

namespace kaido::daemon {

/// The first difference that keeps the two apart, in words for people ("argument 2 (limit): int32 for the caller,
/// string for the worker"); nothing if a call and its result mean the same on both sides. docs/protocol/arguments.md,
/// "Evolution", has the rule; compatibility_test.cc is its table.
///
/// Pure. A schema that is empty or malformed agrees with nothing but its equal.
/// Cost: 0.1 to 0.3 ms, most of it reading the two; so it is done once for a pair of versions, never for a call.
[[nodiscard]] std::optional<std::string> find_incompatibility(const Schema& caller, const Schema& worker);

}  // namespace kaido::daemon
