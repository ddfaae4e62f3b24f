/// JoinHandle<T>: the owner's end of a spawned task. AbortHandle: the right to abort it.
///
///     kaido::JoinHandle<int> handle = kaido::spawn(answer());
///     kaido::Result<int> result = co_await handle;
#pragma once

#include <stdexcept>
#include <utility>

#include <kaido/detail/task_header.h>
#include <kaido/result.h>
#include <kaido/task_id.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Aborts a task without owning its result.
///
/// Threading: thread-safe for different copies, and abort() for one.
class AbortHandle {
 public:
  AbortHandle() noexcept = default;
  explicit AbortHandle(detail::TaskHeader& task) noexcept : task_(&task) { task.add_ref(); }
  AbortHandle(const AbortHandle& other) noexcept : task_(other.task_) {
    if (task_ != nullptr) task_->add_ref();
  }
  AbortHandle(AbortHandle&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  AbortHandle& operator=(AbortHandle other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  ~AbortHandle() {
    if (task_ != nullptr) task_->drop_ref();
  }

  /// Asks for cancellation, as JoinHandle::abort does.
  void abort() const noexcept {
    if (task_ != nullptr) task_->abort();
  }
  [[nodiscard]] bool is_finished() const noexcept { return task_ == nullptr || task_->is_finished(); }
  [[nodiscard]] TaskId id() const noexcept { return task_ != nullptr ? task_->id() : TaskId(); }

 private:
  detail::TaskHeader* task_ = nullptr;
};

/// Awaiting it gives Result<T>: the value, kPanicked or kCancelled, or what an ErrorException said.
///
/// Threading: one thread at a time; may be moved between threads and awaited on another runtime.
/// Lifetime: dropping it detaches: the task goes on and its result is discarded. It does not keep the runtime alive.
/// Cancellation: safe; an await that is dropped loses nothing, and the handle can be awaited again.
/// Errors: awaiting again after the result was taken throws std::logic_error.
template <typename T>
class [[nodiscard]] JoinHandle {
 public:
  using value_type = T;

  JoinHandle() noexcept = default;
  /// Internal: takes over the handle's reference.
  explicit JoinHandle(detail::JoinCell<T>& cell) noexcept : cell_(&cell) {}
  JoinHandle(JoinHandle&& other) noexcept
      : cell_(std::exchange(other.cell_, nullptr)), taken_(std::exchange(other.taken_, false)) {}
  JoinHandle& operator=(JoinHandle&& other) noexcept {
    JoinHandle dropped(std::move(other));
    std::swap(cell_, dropped.cell_);
    std::swap(taken_, dropped.taken_);
    return *this;
  }
  ~JoinHandle() {
    if (cell_ != nullptr) cell_->detach();
  }

  /// Asks for cancellation and returns at once. A task that is suspended is destroyed by the scheduler without running
  /// again; one that runs is cancelled at its next suspension; one that finishes first keeps its result.
  void abort() const noexcept {
    if (cell_ != nullptr) cell_->abort();
  }
  [[nodiscard]] AbortHandle abort_handle() const noexcept {
    return cell_ != nullptr ? AbortHandle(*cell_) : AbortHandle();
  }
  /// True once the task's frame is destroyed and the result stands.
  [[nodiscard]] bool is_finished() const noexcept { return cell_ == nullptr || cell_->is_finished(); }
  [[nodiscard]] TaskId id() const noexcept { return cell_ != nullptr ? cell_->id() : TaskId(); }
  /// False for a default-constructed or moved-from handle.
  [[nodiscard]] bool is_valid() const noexcept { return cell_ != nullptr; }

  /// Internal, for co_await.
  bool poll(PollContext& context) {
    if (cell_ == nullptr || taken_) throw std::logic_error("JoinHandle awaited after its result was taken");
    if (!context.may_proceed()) return false;
    if (!cell_->poll_join(context)) return false;
    context.spend();
    return true;
  }
  Result<T> take() {
    taken_ = true;
    return cell_->take_result();
  }
  /// Internal: gives up the cell and its reference.
  [[nodiscard]] detail::JoinCell<T>* release() noexcept { return std::exchange(cell_, nullptr); }

 private:
  detail::JoinCell<T>* cell_ = nullptr;
  bool taken_ = false;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
