/// Which local app offers which function.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/core/view/node_view.h"
#include "proto/base/ids.h"
#include "proto/base/status.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {

/// A session that offers a function, and the function's position in the session's Register message.
struct Offer {
  std::uint32_t session = 0;
  std::uint32_t function_index = 0;
  bool operator==(const Offer&) const = default;
};

struct RegistryOptions {
  /// Per app; wire::kMaxFunctionsPerApp. Raising it lets one app take more memory here and in every peer's view.
  std::uint32_t functions_per_app_max = 4096;
  /// On this node, all apps together: bounds NodeInfo, which peers hold for each node.
  std::uint32_t functions_max = 16384;
  /// Of a function's or tag's name.
  std::size_t name_bytes_max = wire::kMaxNameBytes;
  std::size_t signature_bytes_max = wire::kMaxSignatureBytes;
  /// Of one function: bounds the time that reading it takes.
  std::size_t schema_bytes_max = wire::kMaxSchemaBytes;
  /// Names, signatures and schemas of one app's functions, and of all: bound NodeInfo too.
  std::size_t bytes_per_app_max = wire::kMaxFunctionBytesPerApp;
  std::size_t bytes_max = wire::kMaxFunctionBytesPerNode;
  /// What an app may claim to run at once.
  std::uint32_t slots_per_app_max = 4096;
};

/// Plain numbers for metrics; they only grow.
struct RegistryCounters {
  std::uint64_t refused_invalid = 0;    ///< a name, an id, registered twice
  std::uint64_t refused_schema = 0;     ///< malformed, or too large
  std::uint64_t refused_signature = 0;  ///< another app here offers another version
  std::uint64_t refused_limit = 0;
};

/// All sessions' functions. On one node a function has one fingerprint: callers must not get one worker or another
/// by luck.
///
/// Cost: about 0.1 ms for each function whose schema is new to the node, during which it does nothing else.
///
/// Threading: confined to the node's loop.
/// Errors: kInvalidArgument (nameless or too long a name, a schema that is none, twice the same, one id for two names
/// in one app), kFailedPrecondition (another app on this node is in the way, with another name of the same id or, as a
/// `signature mismatch`, with another fingerprint; the message names both), kResourceExhausted (a bound),
/// kAlreadyExists (the session has registered). Nothing is changed by a refused call.
class Registry {
 public:
  explicit Registry(RegistryOptions options = {}) : options_(options) {}

  /// Function index = position in `functions`.
  [[nodiscard]] base::Status register_session(std::uint32_t session, std::span<const FunctionInfo> functions,
                                              WorkerSlots slots);

  /// False if it never registered.
  bool unregister_session(std::uint32_t session);

  /// Who offers the function here; empty if nobody. Valid until the next change.
  [[nodiscard]] std::span<const Offer> lookup(base::FunctionId id) const;

  /// For NodeInfo: every function once.
  [[nodiscard]] const FunctionList& offered() const { return offered_; }

  /// The sum of the sessions' slots for computing, or of those for waiting where nobody has others.
  [[nodiscard]] std::uint32_t slots() const { return slots_.compute > 0 ? slots_.compute : slots_.task; }
  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }
  [[nodiscard]] const RegistryCounters& counters() const { return counters_; }

 private:
  struct Session {
    WorkerSlots slots = 0;
    std::vector<base::FunctionId> functions;
  };

  /// A refusal, and the counter that it belongs to.
  struct Refusal {
    base::Status status;
    std::uint64_t RegistryCounters::* counter = &RegistryCounters::refused_invalid;
  };
  [[nodiscard]] std::optional<Refusal> check_session(std::uint32_t session, std::span<const FunctionInfo> functions,
                                                     WorkerSlots slots) const;
  [[nodiscard]] std::optional<Refusal> check_slots(std::span<const FunctionInfo> functions, WorkerSlots slots) const;
  [[nodiscard]] std::optional<Refusal> check_functions(std::span<const FunctionInfo> functions) const;
  [[nodiscard]] std::optional<Refusal> check_function(const FunctionInfo& function) const;
  [[nodiscard]] std::optional<Refusal> check_schema(const FunctionInfo& function) const;
  void remember_checked(const FunctionInfo& function);

  RegistryOptions options_;
  FunctionList offered_;
  std::map<base::FunctionId, std::vector<Offer>> offers_;  ///< of each of them, one at least
  std::unordered_map<std::uint32_t, Session> sessions_;
  /// Schemas that were read, also of workers that are gone: one that comes back registers without that cost. Emptied
  /// when it has grown to bytes_max.
  std::map<base::FunctionId, Schema> checked_;
  std::size_t checked_bytes_ = 0;
  WorkerSlots slots_ = 0;
  RegistryCounters counters_;
};

}  // namespace kaido::daemon
