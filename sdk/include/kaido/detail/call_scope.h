/// CallScope: a function of this program at work for the node, as the remote calls that it makes see it. NestedCall:
/// one of those.
///
/// A function that waits for a remote call gives its slot back meanwhile, so that calls which call each other cannot
/// take all slots and wait for ever. To see that it waits for one, the calls that it makes are counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Threading: thread-safe.
/// Lifetime: counted references: a spawned call may outlive the function that made it.
class CallScope {
 public:
  CallScope() = default;
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  /// The function that this thread runs now; null if it runs none for a node.
  [[nodiscard]] static CallScope* current() noexcept;

  void add_ref() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_ref() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  void call_began() noexcept { calls_.fetch_add(1, std::memory_order_relaxed); }
  void call_ended() noexcept { calls_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] bool has_calls() const noexcept { return calls_.load(std::memory_order_relaxed) != 0; }

 private:
  ~CallScope() = default;

  std::atomic<std::uint32_t> references_{1};
  std::atomic<std::uint32_t> calls_{0};
};

/// Threading: confined to its call.
class NestedCall {
 public:
  NestedCall() noexcept = default;
  NestedCall(NestedCall&& other) noexcept : scope_(std::exchange(other.scope_, nullptr)) {}
  NestedCall& operator=(NestedCall&&) = delete;
  ~NestedCall() { end(); }

  /// In the function that makes the call; once is enough, and elsewhere nothing happens.
  void begin() noexcept {
    if (scope_ != nullptr) return;
    scope_ = CallScope::current();
    if (scope_ == nullptr) return;
    scope_->add_ref();
    scope_->call_began();
  }
  void end() noexcept {
    if (scope_ == nullptr) return;
    scope_->call_ended();
    std::exchange(scope_, nullptr)->drop_ref();
  }

 private:
  CallScope* scope_ = nullptr;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
