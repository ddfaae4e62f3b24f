/// Result<T>: a value or an Error, and one of the forms of Expected (<kaido/expected.h>).
///
///     kaido::Result<int> r = co_await handle;
///     if (r) use(*r); else report(r.error());
///     int n = r.value();          // throws BadResultAccess with the error's text
#pragma once

#include <string>

#include <kaido/error.h>
#include <kaido/expected.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Thrown by Result::value() on an error: the error was not handled, which is the caller's bug or its choice (a script,
/// a test, main()).
class BadResultAccess final : public BadExpectedAccess {
 public:
  explicit BadResultAccess(Error error);
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

namespace detail {

template <>
struct BadAccess<Error> {
  [[noreturn]] static void raise(const Error& error);
};

}  // namespace detail

/// A value of type T, nothing (void), or an Error. T is any movable object type.
///
/// Threading: a value, like std::optional.
template <typename T>
using Result = Expected<T, Error>;

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
