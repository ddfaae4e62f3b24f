/// CallScope: a function of this program at work for the node, as the tasks that belong to it and the remote calls that
/// they make see it. NestedCall: one of those calls.
///
/// A function that waits for a remote call gives its slot back meanwhile, so that calls which call each other cannot
/// take all slots and wait for ever. To see that it waits for one, the calls are counted that it makes, and those of
/// the tasks that it has spawned, of theirs, and so on: it may wait for any of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

class TaskHeader;

/// Part of the task that runs the function. Each task has the scope of the one that spawned it.
///
/// Threading: thread-safe.
/// Lifetime: its references are its task's: a spawned task, or a call, may outlive the function that made it, and then
/// keeps the memory of the function's task.
class CallScope {
 public:
  explicit CallScope(TaskHeader& function) noexcept : function_(function) {}
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  /// That of the task that this thread runs now; null if it does not run for a node.
  [[nodiscard]] static CallScope* current() noexcept;

  void add_ref() noexcept;
  void drop_ref() noexcept;

  // The first that begins and the last that ends get the function's task polled, unless it is the one that runs: what
  // its worker tells the node is decided between two of its polls.
  void call_began() noexcept;
  void call_ended() noexcept;
  [[nodiscard]] bool has_calls() const noexcept { return calls_.load(std::memory_order_relaxed) != 0; }

 private:
  TaskHeader& function_;
  std::atomic<std::uint32_t> calls_{0};
};

/// Threading: confined to its call.
class NestedCall {
 public:
  NestedCall() noexcept = default;
  NestedCall(NestedCall&& other) noexcept : scope_(std::exchange(other.scope_, nullptr)) {}
  NestedCall& operator=(NestedCall&&) = delete;
  ~NestedCall() { end(); }

  /// In the task that makes the call; once is enough, and elsewhere nothing happens.
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
