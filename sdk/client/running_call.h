/// RunningCall: a function of this program at work for the node.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <kaido/context.h>
#include <kaido/detail/buffer.h>
#include <kaido/detail/poll.h>
#include <kaido/function.h>
#include <kaido/join_handle.h>
#include <kaido/task.h>

#include "sdk/client/session.h"

namespace kaido::detail {

class RunningCall;

/// Where the outcome goes.
class ReplyTarget {
 public:
  /// `error` null: succeeded. The call has ended, whatever becomes of the answer.
  virtual void reply(RunningCall& call, const Error* error, std::span<const std::byte> result) noexcept = 0;

 protected:
  ~ReplyTarget() = default;
};

/// Owned by the coroutine that runs it, so that it answers in every case: a frame that is destroyed, also before it
/// ever ran, answers "cancelled".
///
/// Threading: cancel() and abort from any thread under the connection's lock, the rest in its task.
class RunningCall {
 public:
  RunningCall(std::weak_ptr<ReplyTarget> target, const IncomingCall& call, const std::string& node);
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;
  ~RunningCall();

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* call, std::size_t size) noexcept { free_frame(call, size); }

  [[nodiscard]] std::uint64_t call_id() const { return call_id_; }
  [[nodiscard]] std::uint64_t connection() const { return connection_; }

  /// The function learns of it through its Context. One that returns a Task is to be aborted besides, by the returned
  /// handle and outside every lock.
  [[nodiscard]] AbortHandle cancel() noexcept;
  /// Once, before the task is spawned.
  void set_abort_handle(AbortHandle handle) { abort_handle_ = std::move(handle); }

  std::size_t index = 0;  ///< in the connection's list

  /// Runs the function and answers.
  static Task<void> run(std::unique_ptr<RunningCall> call);

 private:
  void answer(const Error* error, std::span<const std::byte> result) noexcept;

  std::weak_ptr<ReplyTarget> target_;
  const FunctionEntry* function_;
  std::uint64_t call_id_;
  std::uint64_t connection_;
  CallControl control_;
  Buffer arguments_;
  AbortHandle abort_handle_;
  bool has_answered_ = false;
};

}  // namespace kaido::detail
