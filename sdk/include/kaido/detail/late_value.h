/// LateValue<T>: room for a value that is made later; whether it was, its owner knows. Saves std::optional's own flag,
/// which would be a second truth beside the owner's.
#pragma once

#include <memory>
#include <new>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Lifetime: who emplaced destroys.
template <typename T>
class LateValue {
 public:
  LateValue() noexcept {}
  LateValue(const LateValue&) = delete;
  LateValue& operator=(const LateValue&) = delete;
  ~LateValue() {}

  template <typename... A>
  void emplace(A&&... arguments) {
    std::construct_at(std::addressof(value_), std::forward<A>(arguments)...);
  }
  void destroy() noexcept { std::destroy_at(std::addressof(**this)); }
  // Laundered, or g++ 12 warns of an uninitialised value wherever it cannot see through the owner's flag.
  [[nodiscard]] T& operator*() noexcept { return *std::launder(std::addressof(value_)); }
  [[nodiscard]] const T& operator*() const noexcept { return *std::launder(std::addressof(value_)); }

 private:
  union {
    T value_;
  };
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
