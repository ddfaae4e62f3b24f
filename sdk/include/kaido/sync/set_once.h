/// SetOnce<T>: a value that is set once, by whoever is first, and that tasks can wait for.
///
///     kaido::SetOnce<Config> config;
///     kaido::spawn(...);                          // calls config.set(read_config())
///     const Config& value = co_await config.wait();
///
/// If the first who needs the value is to make it, use OnceCell.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <kaido/detail/late_value.h>
#include <kaido/detail/waker.h>
#include <kaido/expected.h>
#include <kaido/sync/notify.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// The value was set already (or somebody is just doing it); holds the one that was refused.
template <typename T>
struct SetOnceError {
  T value;
  [[nodiscard]] std::string_view message() const noexcept { return "the SetOnce has a value already"; }
};

/// Awaiting it gives `const T&`; see SetOnce<T>::wait().
template <typename T>
class SetOnceWait;

/// Threading: thread-safe.
/// Lifetime: outlives the waits on it and set(); needs no runtime. References to the value live as long.
template <typename T>
class SetOnce {
 public:
  SetOnce() noexcept = default;
  /// Set from the start, or not.
  explicit SetOnce(T value) : state_(State::kSet) { value_.emplace(std::move(value)); }
  [[nodiscard]] static SetOnce new_with(std::optional<T> value) { return SetOnce(std::move(value), Tag()); }
  SetOnce(const SetOnce&) = delete;
  SetOnce& operator=(const SetOnce&) = delete;
  ~SetOnce() {
    if (initialized()) value_.destroy();
  }

  /// Sets the value and completes all waits. Gives the value back if there was one already.
  Expected<void, SetOnceError<T>> set(T value) {
    State expected = State::kEmpty;
    if (!state_.compare_exchange_strong(expected, State::kSetting)) {
      return Unexpected(SetOnceError<T>{std::move(value)});
    }
    try {
      value_.emplace(std::move(value));
    } catch (...) {
      state_.store(State::kEmpty);
      throw;
    }
    state_.store(State::kSet, std::memory_order_release);
    is_set_.notify_waiters();
    return {};
  }

  /// The value, or null.
  [[nodiscard]] const T* get() const noexcept { return initialized() ? &*value_ : nullptr; }
  [[nodiscard]] bool initialized() const noexcept { return state_.load(std::memory_order_acquire) == State::kSet; }
  /// Waits until there is a value. Takes nothing from the task's budget.
  ///
  /// Cancellation: safe.
  [[nodiscard]] SetOnceWait<T> wait() noexcept { return SetOnceWait<T>(*this); }

  /// The value moved out: `std::move(cell).into_inner()`. Only when nobody else uses it.
  [[nodiscard]] std::optional<T> into_inner() && {
    if (!initialized()) return std::nullopt;
    std::optional<T> value(std::move(*value_));
    state_.store(State::kEmpty);
    value_.destroy();
    return value;
  }

 private:
  friend class SetOnceWait<T>;
  enum class State : std::uint8_t { kEmpty, kSetting, kSet };
  struct Tag {};
  SetOnce(std::optional<T> value, Tag) : state_(value ? State::kSet : State::kEmpty) {
    if (value) value_.emplace(*std::move(value));
  }

  detail::LateValue<T> value_;
  std::atomic<State> state_ = State::kEmpty;
  Notify is_set_;
};

/// Threading: confined to one task.
/// Lifetime: must not outlive its SetOnce.
/// Cancellation: safe.
template <typename T>
class [[nodiscard]] SetOnceWait {
 public:
  explicit SetOnceWait(SetOnce<T>& cell) noexcept : cell_(&cell), notified_(cell.is_set_.notified()) {}

  /// Internal, for co_await.
  bool poll(PollContext& context) noexcept { return cell_->initialized() || notified_.poll(context); }
  const T& take() noexcept { return *cell_->get(); }

 private:
  SetOnce<T>* cell_;
  Notified notified_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
