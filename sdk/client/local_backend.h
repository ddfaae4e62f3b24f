/// LocalBackend: calls as tasks of this process's runtime.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include <kaido/detail/pending_call.h>
#include <kaido/handle.h>

#include "sdk/function/function_table.h"

namespace kaido::inline abi0::detail {

/// Threading: thread-safe.
/// Lifetime: shared; what runs does not refer to it.
class LocalBackend final : public Backend {
 public:
  explicit LocalBackend(Handle handle) : handle_(std::move(handle)) {}

  void start(PendingCall& call, Waker waker) override;
  bool set_waker(PendingCall& call, const PollContext& context) override;
  void drop(PendingCall& call) noexcept override;
  [[nodiscard]] std::string node_name() const override { return "local"; }
  [[nodiscard]] DistributedMetrics metrics() const override;
  [[nodiscard]] const Handle& runtime() const { return handle_; }
  void close() noexcept override {}  // The runtime cancels what runs, and that answers.

 private:
  [[nodiscard]] Result<const FunctionEntry*> find(const CallTarget& target);

  const Handle handle_;
  /// Calls under way, which outlive this object.
  const std::shared_ptr<std::atomic<std::size_t>> in_flight_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::mutex mutex_;  ///< guards functions_
  FunctionTable functions_;
};

}  // namespace kaido::inline abi0::detail
