/// Which local app offers which function.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/core/view/node_view.h"
#include "proto/base/ids.h"
#include "proto/base/status.h"

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
  /// Of a function's or tag's name; wire::kMaxNameBytes.
  std::size_t name_bytes_max = 512;
  /// What an app may claim to run at once.
  std::uint32_t slots_per_app_max = 4096;
};

/// All sessions' functions. On one node a function has one fingerprint: callers must not get one worker or another
/// by luck.
///
/// Threading: confined to the node's loop.
/// Errors: kInvalidArgument (nameless or too long a name, twice the same, one id for two names: the message has both),
/// kFailedPrecondition (`signature mismatch`: another app on this node offers the name with another fingerprint; the
/// message names both), kResourceExhausted (a bound), kAlreadyExists (the session has registered). Nothing is changed
/// by a refused call.
class Registry {
 public:
  explicit Registry(RegistryOptions options = {}) : options_(options) {}

  /// Function index = position in `functions`.
  [[nodiscard]] base::Status register_session(std::uint32_t session, std::span<const FunctionInfo> functions,
                                              std::uint32_t slots);

  /// False if it never registered.
  bool unregister_session(std::uint32_t session);

  /// Who offers the function here; empty if nobody. Valid until the next change.
  [[nodiscard]] std::span<const Offer> lookup(base::FunctionId id) const;

  /// For NodeInfo: every function once, sorted by id.
  [[nodiscard]] std::vector<FunctionInfo> offered() const;

  /// The sum of the sessions' slots.
  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }

 private:
  struct Function {
    FunctionInfo info;
    std::vector<Offer> offers;
  };
  struct Session {
    std::uint32_t slots = 0;
    std::vector<base::FunctionId> functions;
  };

  [[nodiscard]] base::Status check_function(const FunctionInfo& function) const;

  RegistryOptions options_;
  std::unordered_map<base::FunctionId, Function> functions_;
  std::unordered_map<std::uint32_t, Session> sessions_;
  std::uint32_t slots_ = 0;
};

}  // namespace kaido::daemon
