/// A function that a node or an app offers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "daemon/core/schema/schema.h"
#include "proto/base/ids.h"

namespace kaido::daemon {

struct FunctionInfo {
  base::FunctionId id;
  std::string name;
  std::uint64_t fingerprint = 0;
  std::string signature;  ///< canonical, for people
  Schema schema;          ///< the same for programs; empty: not known
  bool is_task = false;   ///< it mostly waits, and takes one of the worker's many slots for such; else it computes
  bool operator==(const FunctionInfo&) const = default;
};

/// Its texts: what describing it takes on the wire, but for a few bytes.
[[nodiscard]] inline std::size_t text_bytes(const FunctionInfo& function) {
  return function.name.size() + function.signature.size() + function.schema.bytes().size();
}

}  // namespace kaido::daemon
