/// LocalKey: a value that a task, or a part of one, carries with it, wherever it runs.
///
///     inline constexpr kaido::LocalKey<RequestId> kRequest;
///
///     kaido::spawn(kRequest.scope(RequestId(7), serve(connection)));
///     // in serve(), and in what it calls and awaits:
///     log.info("...", kRequest.get());
///
/// Tasks spawned inside do not inherit it.
#pragma once

#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <kaido/detail/lazy_task.h>
#include <kaido/detail/temporary.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

template <typename T>
class LocalKey;

namespace detail {

/// One value in force on this thread. The innermost of a key shadows the outer ones.
struct LocalScopeNode {
  const void* key;
  void* value;  // A std::optional<T>: empty once it was taken.
  std::size_t borrows = 0;
  LocalScopeNode* outer = nullptr;
};

/// The innermost scope of `key` on this thread; null if there is none.
[[nodiscard]] LocalScopeNode* find_local_scope(const void* key) noexcept;

/// Puts a value in force for a scope. Throws std::logic_error while a with() of the same key is running.
class LocalScopeGuard {
 public:
  LocalScopeGuard(const void* key, void* value);
  LocalScopeGuard(const LocalScopeGuard&) = delete;
  LocalScopeGuard& operator=(const LocalScopeGuard&) = delete;
  ~LocalScopeGuard();

 private:
  LocalScopeNode node_;
};

[[noreturn]] void throw_task_local_unset();

}  // namespace detail

/// The awaitable of LocalKey::scope(): a Task with its value. Awaited, spawned, or given to a combinator.
///
/// Threading: like the Task in it.
/// Lifetime: movable until it is first polled. The value lives as long as the scope.
/// Cancellation: dropping it destroys the Task's frame, whose destructors still see the value.
template <typename T, typename R>
class [[nodiscard]] TaskLocalScope {
 public:
  using Value = R;

  TaskLocalScope(const LocalKey<T>& key, T value, Task<R> task)
      : key_(&key), value_(std::move(value)), task_(std::move(task)) {}
  TaskLocalScope(TaskLocalScope&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : key_(std::exchange(other.key_, nullptr)), value_(std::move(other.value_)), task_(std::move(other.task_)) {}
  TaskLocalScope& operator=(TaskLocalScope&&) = delete;
  ~TaskLocalScope() {
    if (key_ == nullptr) return;
    detail::LocalScopeGuard guard(key_, &value_);
    task_.drop_frame();
  }

  /// The value, once; nothing after that, and then the key is unset in what still runs inside.
  [[nodiscard]] std::optional<T> take_value() { return std::exchange(value_, std::nullopt); }

  /// Internal, for co_await.
  bool poll(PollContext& context) {
    detail::LocalScopeGuard guard(key_, &value_);
    return task_.poll(context);
  }
  detail::Dropped poll_drop(PollContext& context) noexcept {
    detail::LocalScopeGuard guard(key_, &value_);
    return task_.poll_drop(context);
  }
  R take() { return task_.take(); }

 private:
  const LocalKey<T>* key_;
  std::optional<T> value_;
  detail::LazyTask<R> task_;
};

/// Names a task-local; a constant at namespace scope. Its address is its identity.
///
/// Threading: immutable. The values belong to the tasks that carry them.
template <typename T>
class LocalKey {
 public:
  constexpr LocalKey() noexcept = default;
  LocalKey(const LocalKey&) = delete;
  LocalKey& operator=(const LocalKey&) = delete;

  /// `task` with a value of its own: seen inside whenever it is polled, and by its destructors.
  template <typename R, typename V = T>
    requires std::is_convertible_v<V&&, T>
  TaskLocalScope<T, R> scope(V&& value, Task<R> task) const {
    static_assert(detail::check_temporaries<V>());
    return TaskLocalScope<T, R>(*this, std::forward<V>(value), std::move(task));
  }
  template <typename F, typename V = T>
    requires(std::is_convertible_v<V &&, T> && detail::TaskFactory<detail::Kept<F>>)
  auto scope(V&& value, F&& factory) const {
    static_assert(detail::check_temporaries<F>());
    return scope(std::forward<V>(value),
                 detail::run_factory<detail::Kept<F>>(detail::unmoved(std::forward<F>(factory))));
  }
  template <typename A, typename V = T>
    requires(std::is_convertible_v<V &&, T> && detail::SpawnablePollable<detail::Kept<A>>)
  auto scope(V&& value, A&& awaitable) const {
    static_assert(detail::check_temporaries<A>());
    return scope(std::forward<V>(value),
                 detail::run_pollable<detail::Kept<A>>(detail::unmoved(std::forward<A>(awaitable))));
  }
  /// Calls a function with a value. Throws std::logic_error while a with() of this key is running.
  template <typename F>
  std::invoke_result_t<F&&> sync_scope(T value, F&& function) const {
    std::optional<T> held(std::move(value));
    detail::LocalScopeGuard guard(this, &held);
    return std::forward<F>(function)();
  }

  /// Calls a function with the value. Throws std::logic_error where it is unset.
  template <typename F>
  std::invoke_result_t<F&&, const T&> with(F&& function) const {
    Borrow borrow(*this);
    if (borrow.value() == nullptr) detail::throw_task_local_unset();
    return std::forward<F>(function)(*borrow.value());
  }
  /// The same, but gives nothing where it is unset; for functions without a result: whether it was called.
  template <typename F>
  auto try_with(F&& function) const {
    using R = std::invoke_result_t<F&&, const T&>;
    Borrow borrow(*this);
    if constexpr (std::is_void_v<R>) {
      if (borrow.value() == nullptr) return false;
      std::forward<F>(function)(*borrow.value());
      return true;
    } else {
      if (borrow.value() == nullptr) return std::optional<R>();
      return std::optional<R>(std::forward<F>(function)(*borrow.value()));
    }
  }
  /// A copy. Throws std::logic_error where it is unset.
  [[nodiscard]] T get() const
    requires std::is_copy_constructible_v<T>
  {
    return with([](const T& value) { return value; });
  }
  [[nodiscard]] std::optional<T> try_get() const
    requires std::is_copy_constructible_v<T>
  {
    return try_with([](const T& value) { return value; });
  }

 private:
  /// Keeps the innermost scope from being shadowed while its value is in use.
  class Borrow {
   public:
    explicit Borrow(const LocalKey& key) noexcept : scope_(detail::find_local_scope(&key)) {
      if (scope_ != nullptr) ++scope_->borrows;
    }
    Borrow(const Borrow&) = delete;
    Borrow& operator=(const Borrow&) = delete;
    ~Borrow() {
      if (scope_ != nullptr) --scope_->borrows;
    }
    [[nodiscard]] const T* value() const noexcept {
      if (scope_ == nullptr) return nullptr;
      const auto& held = *static_cast<std::optional<T>*>(scope_->value);
      return held ? &*held : nullptr;
    }

   private:
    detail::LocalScopeNode* scope_;
  };
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
