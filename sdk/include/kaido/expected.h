/// Expected<T, E>: a value, or an error of a type of its own.
///
///     kaido::Expected<int, kaido::mpsc::TryRecvError> got = receiver.try_recv();
///     if (got) use(*got); else if (got.error() == kaido::mpsc::TryRecvError::kEmpty) ...
///
/// The one type of Kaido's for what may fail. Result<T> is Expected<T, Error> (<kaido/result.h>), for whatever can fail
/// in many ways; IoResult<T> has an error code (<kaido/asio.h>, <kaido/net.h>); channels and locks have enumerations,
/// or give the value back (SendError<T>). std::expected needs C++23; this has its names.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Thrown by Expected::value() on an error; for some errors an exception that says more, see there.
class BadExpectedAccess : public std::exception {
 public:
  explicit BadExpectedAccess(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// Wraps an error on its way into an Expected, where error and value could be confused.
template <typename E>
class Unexpected {
 public:
  explicit Unexpected(E error) : error_(std::move(error)) {}
  [[nodiscard]] const E& error() const& noexcept { return error_; }
  [[nodiscard]] E&& error() && noexcept { return std::move(error_); }

 private:
  E error_;
};

namespace detail {

template <typename E>
std::string describe_error(const E& error) {
  if constexpr (requires { std::string(error.message()); }) {
    return std::string(error.message());
  } else if constexpr (requires { std::string(message(error)); }) {
    return std::string(message(error));  // Enumerations: a function beside them.
  } else {
    return "Expected has an error and no value";
  }
}

/// What value() throws for an error.
template <typename E>
struct BadAccess {
  [[noreturn]] static void raise(const E& error) { throw BadExpectedAccess(describe_error(error)); }
};

/// One of two. (A std::variant of trivial types copies its unused bytes, about which g++ 12 warns in users' code.)
template <typename V, typename E>
class EitherStorage {
  static constexpr bool kIsCopyable = std::is_copy_constructible_v<V> && std::is_copy_constructible_v<E>;
  static constexpr bool kMovesSafely =
      std::is_nothrow_move_constructible_v<V> && std::is_nothrow_move_constructible_v<E>;
  /// Values whose move may throw are assigned; the error is put back where making one throws.
  static constexpr bool kIsAssignable =
      kMovesSafely || (std::is_move_constructible_v<V> && std::is_move_assignable_v<V> &&
                       std::is_nothrow_move_constructible_v<E> && std::is_nothrow_move_assignable_v<E>);

 public:
  template <typename... Args>
  explicit EitherStorage(std::true_type, Args&&... args) : value_(std::forward<Args>(args)...), has_value_(true) {}
  template <typename... Args>
  explicit EitherStorage(std::false_type, Args&&... args) : error_(std::forward<Args>(args)...), has_value_(false) {}
  EitherStorage(const EitherStorage& other)
    requires kIsCopyable
  {
    construct(other);
  }
  EitherStorage(EitherStorage&& other) noexcept(kMovesSafely) { construct(std::move(other)); }
  EitherStorage& operator=(const EitherStorage& other)
    requires(kIsCopyable && kIsAssignable)
  {
    return *this = EitherStorage(other);
  }
  EitherStorage& operator=(EitherStorage&& other) noexcept(kMovesSafely)
    requires kIsAssignable
  {
    if (this == &other) return *this;
    if constexpr (kMovesSafely) {
      destroy();
      construct(std::move(other));
    } else {
      assign(std::move(other));
    }
    return *this;
  }
  ~EitherStorage() { destroy(); }

  union {
    V value_;
    E error_;
  };
  bool has_value_;

 private:
  template <typename Other>
  void construct(Other&& other) {
    const bool has_value = other.has_value_;
    if (has_value) {
      std::construct_at(&value_, std::forward<Other>(other).value_);
    } else {
      std::construct_at(&error_, std::forward<Other>(other).error_);
    }
    has_value_ = has_value;
  }
  void assign(EitherStorage&& other) {
    if (has_value_ && other.has_value_) {
      value_ = std::move(other.value_);
    } else if (!other.has_value_) {
      destroy();
      has_value_ = false;
      std::construct_at(&error_, std::move(other.error_));
    } else {
      E kept(std::move(error_));
      std::destroy_at(&error_);
      try {
        std::construct_at(&value_, std::move(other.value_));
      } catch (...) {
        std::construct_at(&error_, std::move(kept));
        throw;
      }
      has_value_ = true;
    }
  }
  void destroy() noexcept {
    if (has_value_) {
      std::destroy_at(&value_);
    } else {
      std::destroy_at(&error_);
    }
  }
};

struct NoValue {};

}  // namespace detail

/// A value of type T or an error of type E, both movable object types.
///
/// Threading: a value, like std::optional.
template <typename T, typename E>
class [[nodiscard]] Expected {
  static_assert(!std::is_reference_v<T> && !std::is_reference_v<E>,
                "Expected and Result hold objects: use a pointer or std::reference_wrapper instead");

 public:
  using value_type = T;
  using error_type = E;

  template <typename U = T>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, Expected> &&
             (!std::is_same_v<std::remove_cvref_t<U>, E> || std::is_same_v<T, E>))
  Expected(U&& value) : state_(std::true_type(), std::forward<U>(value)) {}
  template <typename G = E>
    requires(std::is_same_v<std::remove_cvref_t<G>, E> && !std::is_same_v<T, E>)
  Expected(G&& error) : state_(std::false_type(), std::forward<G>(error)) {}
  template <typename G>
    requires std::is_constructible_v<E, G&&>
  Expected(Unexpected<G> error) : state_(std::false_type(), std::move(error).error()) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.has_value_; }
  [[nodiscard]] bool has_error() const noexcept { return !has_value(); }
  [[nodiscard]] bool ok() const noexcept { return has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  /// The value; throws if there is none: BadResultAccess for an Error, boost::system::system_error for a code of
  /// Asio's, BadExpectedAccess for all others. The value may be ignored: `result.value();` is the line that throws.
  T& value() & {
    check();
    return **this;
  }
  const T& value() const& {
    check();
    return **this;
  }
  T&& value() && {
    check();
    return *std::move(*this);
  }

  /// The value; requires has_value().
  [[nodiscard]] T& operator*() & noexcept { return state_.value_; }
  [[nodiscard]] const T& operator*() const& noexcept { return state_.value_; }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(state_.value_); }
  [[nodiscard]] T* operator->() noexcept { return &state_.value_; }
  [[nodiscard]] const T* operator->() const noexcept { return &state_.value_; }

  /// The error; requires !has_value().
  [[nodiscard]] E& error() & noexcept { return state_.error_; }
  [[nodiscard]] const E& error() const& noexcept { return state_.error_; }
  [[nodiscard]] E&& error() && noexcept { return std::move(state_.error_); }

  template <typename U>
  [[nodiscard]] T value_or(U&& fallback) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(fallback));
  }
  template <typename U>
  [[nodiscard]] T value_or(U&& fallback) && {
    return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(fallback));
  }

 private:
  void check() const {
    if (!has_value()) detail::BadAccess<E>::raise(error());
  }

  detail::EitherStorage<T, E> state_;
};

/// Success without a value, or an error.
template <typename E>
class [[nodiscard]] Expected<void, E> {
  static_assert(!std::is_reference_v<E>, "Expected holds objects");

 public:
  using value_type = void;
  using error_type = E;

  Expected() noexcept : state_(std::true_type()) {}
  template <typename G = E>
    requires std::is_same_v<std::remove_cvref_t<G>, E>
  Expected(G&& error) : state_(std::false_type(), std::forward<G>(error)) {}
  template <typename G>
    requires std::is_constructible_v<E, G&&>
  Expected(Unexpected<G> error) : state_(std::false_type(), std::move(error).error()) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.has_value_; }
  [[nodiscard]] bool has_error() const noexcept { return !has_value(); }
  [[nodiscard]] bool ok() const noexcept { return has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  /// Throws on an error, as that of a value does.
  void value() const {
    if (!has_value()) detail::BadAccess<E>::raise(error());
  }
  void operator*() const noexcept {}

  [[nodiscard]] E& error() & noexcept { return state_.error_; }
  [[nodiscard]] const E& error() const& noexcept { return state_.error_; }
  [[nodiscard]] E&& error() && noexcept { return std::move(state_.error_); }

 private:
  detail::EitherStorage<detail::NoValue, E> state_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
