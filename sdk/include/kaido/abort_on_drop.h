/// AbortOnDropHandle, AbortOnDrop: a JoinHandle, and an AbortHandle, whose end aborts the task.
#pragma once

#include <utility>

#include <kaido/join_handle.h>
#include <kaido/result.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Awaiting it gives what the JoinHandle gives.
///
/// Threading: like JoinHandle.
/// Lifetime: dropping it asks for the task's cancellation, which happens asynchronously.
/// Cancellation: safe; an await of the handle that is dropped loses nothing. (One that owns it aborts with it.)
template <typename T>
class [[nodiscard]] AbortOnDropHandle {
 public:
  using value_type = T;

  explicit AbortOnDropHandle(JoinHandle<T> handle) noexcept : handle_(std::move(handle)) {}
  AbortOnDropHandle(AbortOnDropHandle&&) noexcept = default;
  AbortOnDropHandle& operator=(AbortOnDropHandle&& other) noexcept {
    if (this == &other) return *this;
    handle_.abort();
    handle_ = std::move(other.handle_);
    return *this;
  }
  ~AbortOnDropHandle() { handle_.abort(); }

  void abort() const noexcept { handle_.abort(); }
  [[nodiscard]] bool is_finished() const noexcept { return handle_.is_finished(); }
  [[nodiscard]] AbortHandle abort_handle() const noexcept { return handle_.abort_handle(); }
  [[nodiscard]] TaskId id() const noexcept { return handle_.id(); }
  /// The plain handle: dropping that one leaves the task alone.
  [[nodiscard]] JoinHandle<T> detach() noexcept { return std::move(handle_); }

  /// Internal, for co_await.
  bool poll(PollContext& context) { return handle_.poll(context); }
  Result<T> take() { return handle_.take(); }

 private:
  JoinHandle<T> handle_;
};

/// Threading: confined to one thread; may be moved.
class [[nodiscard]] AbortOnDrop {
 public:
  explicit AbortOnDrop(AbortHandle handle) noexcept : handle_(std::move(handle)) {}
  AbortOnDrop(AbortOnDrop&&) noexcept = default;
  AbortOnDrop& operator=(AbortOnDrop&& other) noexcept {
    if (this == &other) return *this;
    handle_.abort();
    handle_ = std::move(other.handle_);
    return *this;
  }
  ~AbortOnDrop() { handle_.abort(); }

  void abort() const noexcept { handle_.abort(); }
  [[nodiscard]] bool is_finished() const noexcept { return handle_.is_finished(); }
  [[nodiscard]] TaskId id() const noexcept { return handle_.id(); }
  /// The plain handle: dropping that one leaves the task alone.
  [[nodiscard]] AbortHandle detach() noexcept { return std::move(handle_); }

 private:
  AbortHandle handle_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
