#include "sdk/client/running_call.h"

#include <cstring>
#include <utility>

#include "sdk/client/messages.h"

namespace kaido::inline abi0::detail {

RunningCall::RunningCall(RuntimeCore* core, ReplyTarget& target, IncomingCall& call)
    : JoinCell<void>(core),
      target_(&target),
      function_(call.function),
      call_id_(call.call_id),
      connection_(call.connection),
      large_(std::move(call.large)) {
  if (large_.empty() && !call.arguments.empty()) {
    std::memcpy(arguments_.allocate(call.arguments.size()), call.arguments.data(), call.arguments.size());
  }
  control_.deadline = call.deadline;
  control_.attempt = call.attempt;
  control_.node = call.node;
  control_.trace = call.trace;
  control_.set_task(call.info, &task_text);
  set_own_scope(scope_);
}

RunningCall::~RunningCall() { leave_own_scope(); }

void RunningCall::cancel() noexcept {
  control_.cancel();
  if (function_->start != nullptr) abort();
}

bool RunningCall::poll(PollContext& context) noexcept {
  if (is_yielded()) set_yielded(false);
  if (!run(context)) {
    if (scope_.has_calls()) set_yielded(true);
    return false;
  }
  answer();
  return true;
}

/// What it did before it could be cancelled is not dropped: then that is the answer.
Dropped RunningCall::poll_drop(PollContext& context) noexcept {
  const Dropped dropped = slot_.poll_drop(context);
  if (dropped == Dropped::kOutcome) answer();
  return dropped;
}

/// True when the function has ended. Neither form lets an exception out.
inline bool RunningCall::run(PollContext& context) noexcept {
  if (function_->run != nullptr) {
    invocation_.emplace(user_context_, arguments());
    function_->run(*invocation_);
    outcome_.set_value();
    return true;
  }
  if (!invocation_) {
    invocation_.emplace(user_context_, arguments());
    Task<void> task = function_->start(*invocation_);
    slot_.resume_point = task.prepare(slot_, outcome_, nullptr);
    frame_ = task.release();
  }
  return slot_.poll(context);
}

void RunningCall::set_yielded(bool yielded) noexcept {
  is_yielded_.store(yielded, std::memory_order_relaxed);
  target_->yield_changed(*this);
}

void RunningCall::drop_frame() noexcept {
  if (frame_) {
    std::exchange(frame_, nullptr).destroy();
  }
  if (target_ != nullptr) {
    if (!invocation_) invocation_.emplace(user_context_, std::span<const std::byte>());
    invocation_->error.emplace(ErrorKind::kCancelled, "cancelled while it ran");
    answer();
  }
  // Tasks that it has spawned may keep this object for long.
  arguments_ = Buffer();
  leave_own_scope();
}

inline void RunningCall::answer() noexcept {
  if (!large_.empty()) large_ = wire::Payload();  // The target may take its time.
  std::exchange(target_, nullptr)->ended(*this);
}

}  // namespace kaido::inline abi0::detail
