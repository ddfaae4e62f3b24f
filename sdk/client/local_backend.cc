#include "sdk/client/local_backend.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <kaido/context.h>
#include <kaido/function.h>
#include <kaido/join_handle.h>
#include <kaido/task.h>

namespace kaido::inline abi0::detail {
namespace {

/// One call at work in this process: shared by the task that runs it and by the caller's PendingCall.
///
/// Threading: `caller` under the lock, the rest is set before the task is spawned.
struct LocalRun {
  explicit LocalRun(std::shared_ptr<std::atomic<std::size_t>> count) : in_flight(std::move(count)) { ++*in_flight; }
  LocalRun(const LocalRun&) = delete;
  LocalRun& operator=(const LocalRun&) = delete;
  ~LocalRun() { forget_caller(); }

  std::mutex mutex;
  PendingCall* caller = nullptr;  ///< null: done or dropped
  const FunctionEntry* function = nullptr;
  CallControl control;
  Buffer arguments;
  AbortHandle abort_handle;
  const std::shared_ptr<std::atomic<std::size_t>> in_flight;  ///< the backend's count of those that have a caller

  /// Under the lock: nobody waits any more. The caller; null if nobody did.
  PendingCall* forget_caller() noexcept {
    if (caller != nullptr) --*in_flight;
    return std::exchange(caller, nullptr);
  }
  void complete(std::optional<Error> failure, Buffer&& result) noexcept {
    Waker waker;
    {
      const std::lock_guard lock(mutex);
      if (caller == nullptr) return;
      PendingCall& call = *forget_caller();
      call.error = std::move(failure);
      call.set_result(std::move(result));
      waker = std::move(call.waker);
      call.is_done.store(true, std::memory_order_release);
    }
    waker.wake();
  }
};

/// Answers in every case: a frame that is destroyed, also before it ever ran, answers "cancelled".
class Answer {
 public:
  explicit Answer(std::shared_ptr<LocalRun> run) : run_(std::move(run)) {}
  Answer(Answer&&) noexcept = default;
  Answer& operator=(Answer&&) = delete;
  ~Answer() {
    if (run_ != nullptr) run_->complete(Error::cancelled(), Buffer());
  }
  [[nodiscard]] LocalRun& run() const { return *run_; }

 private:
  std::shared_ptr<LocalRun> run_;
};

Task<void> run_local(Answer answer) {
  LocalRun& run = answer.run();
  kaido::Context context(run.control);
  Invocation invocation(context, run.arguments.bytes());
  if (run.function->run != nullptr) {
    run.function->run(invocation);
  } else {
    co_await run.function->start(invocation);
  }
  // As at a node: a result that comes after the deadline is none.
  if (run.control.deadline && std::chrono::steady_clock::now() >= *run.control.deadline) {
    invocation.error = Error(ErrorKind::kTimedOut, std::string(run.function->name) + ": ended after the deadline");
  }
  run.complete(std::move(invocation.error), std::move(invocation.result));
}

}  // namespace

namespace {

std::string_view what_to_do(CallTarget::Kind kind) {
  switch (kind) {
    case CallTarget::Kind::kFunction:
      return "it is declared but not linked here: link the file with its KAIDO_FUNCTION line, or start kaidod and a "
             "worker that has it";
    case CallTarget::Kind::kMethod:
      return "its class is declared but no object of it is served here: give one to kaido::serve, or start kaidod and "
             "a worker "
             "that serves one";
    case CallTarget::Kind::kName:
      break;
  }
  return "nothing of that name is registered here: correct the name, or start kaidod and a worker that has it";
}

Error not_here(const CallTarget& target) {
  const std::string name(target.name);
  std::vector<NodeReason> reasons;
  reasons.emplace_back("local", "does not offer '" + name + "'");
  return Error(ErrorKind::kUnschedulable, "no node offers '" + name + "': this program runs without a node, and " +
                                              std::string(what_to_do(target.kind)))
      .with_reasons(std::move(reasons));
}

}  // namespace

Result<const FunctionEntry*> LocalBackend::find(const CallTarget& target) {
  const std::lock_guard lock(mutex_);
  const FunctionEntry* entry = functions_.find(target.id);
  if (entry == nullptr) {
    // Asked for the first time, or registered since, as by a library that was loaded.
    auto functions = FunctionTable::collect();
    if (!functions) return std::move(functions).error();
    functions_ = *std::move(functions);
    entry = functions_.find(target.id);
  }
  if (entry == nullptr) return not_here(target);
  if (entry->fingerprint != target.fingerprint) {
    return Error(ErrorKind::kSignatureMismatch, "the caller takes '" + std::string(target.name) + "' for " +
                                                    target.signature() + ", it is registered as " + entry->signature());
  }
  return entry;
}

void LocalBackend::start(PendingCall& call, Waker waker) {
  auto run = std::make_shared<LocalRun>(in_flight_);
  run->caller = &call;
  call.waker = std::move(waker);
  auto function = find(*call.target);
  if (!function) return run->complete(std::move(function).error(), Buffer());
  run->function = *function;
  run->arguments = std::move(call.arguments);
  if (call.deadline != std::chrono::steady_clock::time_point{}) run->control.deadline = call.deadline;
  call.running = run;
  auto* cell = new SpawnCell<void>(handle_.core().get(), run_local(Answer(run)));
  const JoinHandle<void> handle(*cell);
  run->abort_handle = handle.abort_handle();
  spawn_task(*handle_.core(), *cell);
}

DistributedMetrics LocalBackend::metrics() const {
  DistributedMetrics metrics;
  metrics.calls_in_flight = in_flight_->load();
  return metrics;
}

bool LocalBackend::set_waker(PendingCall& call, const PollContext& context) {
  if (call.running == nullptr) return false;  // Failed at once.
  auto& run = *static_cast<LocalRun*>(call.running.get());
  Waker replaced;  // Dropped after the lock: that may run foreign code.
  const std::lock_guard lock(run.mutex);
  if (run.caller == nullptr) return false;
  if (!context.will_wake(call.waker)) replaced = std::exchange(call.waker, context.waker());
  return true;
}

void LocalBackend::drop(PendingCall& call) noexcept {
  if (call.running == nullptr) return;
  const auto run = std::static_pointer_cast<LocalRun>(std::exchange(call.running, nullptr));
  {
    Waker dropped;  // After the lock, as above.
    const std::lock_guard lock(run->mutex);
    if (run->forget_caller() == nullptr) return;
    dropped = std::move(call.waker);
  }
  run->control.cancel();
  if (run->function->start != nullptr) run->abort_handle.abort();
}

}  // namespace kaido::inline abi0::detail
