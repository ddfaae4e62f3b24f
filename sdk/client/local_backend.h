/// LocalBackend: calls as tasks of this process's runtime.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include <kaido/detail/pending_call.h>
#include <kaido/handle.h>

#include "sdk/function/function_table.h"

namespace kaido::detail {

/// Threading: thread-safe.
/// Lifetime: shared; what runs does not refer to it.
class LocalBackend final : public Backend {
 public:
  explicit LocalBackend(Handle handle) : handle_(std::move(handle)) {}

  void start(PendingCall& call, Waker waker) override;
  bool set_waker(PendingCall& call, const PollContext& context) override;
  void drop(PendingCall& call) noexcept override;
  [[nodiscard]] std::string node_name() const override { return "local"; }
  void close() noexcept override {}  // The runtime cancels what runs, and that answers.

 private:
  [[nodiscard]] Result<const FunctionEntry*> find(const CallTarget& target);

  const Handle handle_;
  std::mutex mutex_;  ///< guards functions_
  FunctionTable functions_;
};

}  // namespace kaido::detail
