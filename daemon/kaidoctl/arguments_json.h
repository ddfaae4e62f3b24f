/// Between JSON, which people type, and the bytes that functions take, by a function's schema: pure functions.
///
/// The mapping is protobuf's own (https://protobuf.dev/programming-guides/json): 64-bit integers may be strings, bytes
/// are base64, fields have the names of the .proto. Stricter in one thing: a parameter that has no default must be
/// there.
#pragma once

#include <string>
#include <string_view>

#include "daemon/core/schema/parsed_schema.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// Errors: kInvalidArgument naming the field: no JSON, an unknown or missing field, a value that does not fit its type.
[[nodiscard]] base::StatusOr<std::string> arguments_from_json(const ParsedSchema& schema, std::string_view json);

/// {"value": …}, or {} for a function that returns nothing. 64-bit integers are strings, as protobuf has it.
/// Errors: kDataLoss if the bytes are not what the schema says; kInternal for text that is not UTF-8.
[[nodiscard]] base::StatusOr<std::string> result_to_json(const ParsedSchema& schema, std::string_view bytes);

/// What a shell script wants: a text or a number as it is, everything else as JSON; nothing for nothing.
[[nodiscard]] base::StatusOr<std::string> result_to_text(const ParsedSchema& schema, std::string_view bytes);

}  // namespace kaido::daemon
