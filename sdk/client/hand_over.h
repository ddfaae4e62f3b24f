/// HandOver: what threads leave for whoever holds a lock next, without taking the lock themselves.
#pragma once

#include <atomic>
#include <utility>

namespace kaido::inline abi0::detail {

/// A list through the items' own `Next`. Who puts something in touches neither it nor this list afterwards.
///
/// Threading: put() from any thread; the rest under the lock of whoever takes.
/// Lifetime: items are the taker's from put() on.
template <class T, T* T::* Next>
class HandOver {
 public:
  HandOver() = default;
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  /// False once it is closed: nobody would take the item.
  [[nodiscard]] bool put(T& item) noexcept {
    T* last = last_.load(std::memory_order_relaxed);
    do {
      if (last == closed()) return false;
      item.*Next = last;
    } while (!last_.compare_exchange_weak(last, &item, std::memory_order_release, std::memory_order_relaxed));
    return true;
  }
  /// A hint on other threads. On the one that has put something in, false means that it was taken; what the taker wrote
  /// before is seen then.
  [[nodiscard]] bool has_any() const noexcept {
    const T* const last = last_.load(std::memory_order_acquire);
    return last != nullptr && last != closed();
  }
  /// All, from the first that was put in; null if there is none.
  [[nodiscard]] T* take() noexcept {
    return has_any() ? in_order(last_.exchange(nullptr, std::memory_order_acq_rel)) : nullptr;
  }
  /// The same, and nothing is put in any more.
  [[nodiscard]] T* close() noexcept {
    T* const last = last_.exchange(closed(), std::memory_order_acquire);
    return last != closed() ? in_order(last) : nullptr;
  }

 private:
  /// Never looked into: an address that no item has.
  [[nodiscard]] T* closed() const noexcept { return reinterpret_cast<T*>(const_cast<HandOver*>(this)); }
  static T* in_order(T* last) noexcept {
    T* first = nullptr;
    while (last != nullptr) {
      T* const before = last->*Next;
      last->*Next = std::exchange(first, last);
      last = before;
    }
    return first;
  }

  std::atomic<T*> last_{nullptr};
};

/// The same list for one thread.
///
/// Threading: confined.
template <class T, T* T::* Next>
class InOrder {
 public:
  void put(T& item) noexcept {
    item.*Next = nullptr;
    (last_ != nullptr ? last_->*Next : first_) = &item;
    last_ = &item;
  }
  [[nodiscard]] bool is_empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] T* take() noexcept {
    last_ = nullptr;
    return std::exchange(first_, nullptr);
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace kaido::inline abi0::detail
