/// RunningCall: a function of this program at work for the node, as a task of its own.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include <kaido/context.h>
#include <kaido/detail/buffer.h>
#include <kaido/detail/call_scope.h>
#include <kaido/detail/poll.h>
#include <kaido/detail/task_header.h>
#include <kaido/function.h>

#include "proto/wire/payload.h"
#include "sdk/client/session.h"

namespace kaido::inline abi0::detail {

class RunningCall;

/// Where the outcome goes, and what the function waits for.
///
/// Lifetime: lives until it has been given the outcome of each call.
class ReplyTarget {
 public:
  /// The call has ended, whatever becomes of the answer: error() and result() stand. With it comes the reference that a
  /// JoinHandle would have; there is no outcome to be discarded.
  virtual void ended(RunningCall& call) noexcept = 0;
  /// It waits for remote calls of its own (is_yielded()), or goes on.
  virtual void yield_changed(RunningCall& call) noexcept = 0;

 protected:
  ~ReplyTarget() = default;
};

/// One allocation for the task, the call and the invocation. It answers in every case: dropped before it ever ran, it
/// answers "cancelled".
///
/// Threading: cancel() from any thread, outside every lock; what is marked so belongs to the target's lock, the rest to
/// its task, and once it has ended to the target.
/// Lifetime: counted references, as every task.
class RunningCall final : public JoinCell<void> {
 public:
  RunningCall(RuntimeCore* core, ReplyTarget& target, IncomingCall& call);

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* call, std::size_t size) noexcept { free_frame(call, size); }

  [[nodiscard]] std::uint64_t call_id() const { return call_id_; }
  [[nodiscard]] std::uint64_t connection() const { return connection_; }
  [[nodiscard]] bool is_yielded() const { return is_yielded_.load(std::memory_order_relaxed); }

  /// The function learns of it through its Context; one that returns a Task is aborted besides.
  void cancel() noexcept;

  // The outcome.
  [[nodiscard]] const Error* error() const { return invocation_->error ? &*invocation_->error : nullptr; }
  [[nodiscard]] Buffer& result() { return invocation_->result; }

  RunningCall* next = nullptr;  ///< in a list of the target: of those that begin, or that have ended

  // Of the target, under its lock.
  std::size_t index = 0;       ///< in its list
  bool is_yield_told = false;  ///< what the node knows
  bool is_in_yield_changes = false;
  RunningCall* next_yield_change = nullptr;

 protected:
  bool poll(PollContext& context) noexcept override;
  Dropped poll_drop(PollContext& context) noexcept override;
  void drop_frame() noexcept override;
  void destroy() noexcept override { delete this; }

 private:
  ~RunningCall() override;

  [[nodiscard]] bool run(PollContext& context) noexcept;
  [[nodiscard]] std::span<const std::byte> arguments() const {
    return large_.empty() ? arguments_.bytes() : large_.bytes();
  }
  void set_yielded(bool yielded) noexcept;
  void answer() noexcept;

  ReplyTarget* target_;  ///< null: it has answered
  const FunctionEntry* const function_;
  const std::uint64_t call_id_;
  const std::uint64_t connection_;
  CallScope scope_{*this};
  std::atomic<bool> is_yielded_{false};
  CallControl control_;
  wire::Payload large_;  ///< arguments that came in chunks
  Buffer arguments_;     ///< all others
  kaido::Context user_context_{control_};
  std::optional<Invocation> invocation_;
  PollSlot slot_;
  std::coroutine_handle<> frame_;
};

/// A counted reference.
class RunningCallRef {
 public:
  explicit RunningCallRef(RunningCall& call) noexcept : call_(&call) { call.add_ref(); }
  RunningCallRef(RunningCallRef&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  RunningCallRef& operator=(RunningCallRef&&) = delete;
  ~RunningCallRef() {
    if (call_ != nullptr) call_->drop_ref();
  }
  RunningCall* operator->() const noexcept { return call_; }

 private:
  RunningCall* call_;
};

}  // namespace kaido::inline abi0::detail
