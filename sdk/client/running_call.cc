#include "sdk/client/running_call.h"

#include <utility>

#include "sdk/client/messages.h"

namespace kaido::detail {

RunningCall::RunningCall(std::weak_ptr<ReplyTarget> target, const IncomingCall& call, const std::string& node)
    : target_(std::move(target)),
      function_(call.function),
      call_id_(call.call_id),
      connection_(call.connection),
      arguments_(call.arguments) {
  control_.deadline = call.deadline;
  control_.attempt = call.attempt;
  control_.node = node;
  control_.set_task(call.info, &task_text);
}

RunningCall::~RunningCall() {
  if (has_answered_) return;
  const Error error(ErrorKind::kCancelled, "cancelled while it ran");
  answer(&error, {});
}

AbortHandle RunningCall::cancel() noexcept {
  control_.cancel();
  return function_->start != nullptr ? abort_handle_ : AbortHandle();
}

void RunningCall::answer(const Error* error, std::span<const std::byte> result) noexcept {
  has_answered_ = true;
  if (const auto target = target_.lock()) target->reply(*this, error, result);
}

Task<void> RunningCall::run(std::unique_ptr<RunningCall> call) {
  kaido::Context context(call->control_);
  Invocation invocation(context, call->arguments_.bytes());
  if (call->function_->run != nullptr) {
    call->function_->run(invocation);
  } else {
    co_await call->function_->start(invocation);
  }
  call->answer(invocation.error ? &*invocation.error : nullptr, invocation.result.bytes());
}

}  // namespace kaido::detail
