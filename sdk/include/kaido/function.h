/// Functions that other processes can call: KAIDO_FUNCTION and what stands behind it.
///
///     std::int64_t count_words(std::string_view text);
///     KAIDO_FUNCTION(count_words);                       // offered by every program that links this line
///     KAIDO_FUNCTION_AS("sort<int>", &sort_all<int>);    // a name of your own, for templates and overloads
///
/// A function may be plain or return kaido::Task<T>; may return kaido::Result<T>; may take kaido::Context& first.
/// Parameters are taken by value, const reference or rvalue reference; views (std::string_view, std::span) point into the
/// received bytes and live until the function is done. An exception that leaves it reaches the caller as
/// ErrorKind::kPanicked with type and text.
///
/// Registration is an object of static storage that links itself into a list: the one static registration that Kaido has.
/// A static library's object file that nothing refers to is left out by the linker, and its functions with it. In Bazel
/// say `alwayslink = 1`; with a plain linker `-Wl,--whole-archive libmine.a -Wl,--no-whole-archive`. Object files and
/// shared libraries need nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <kaido/codec.h>
#include <kaido/context.h>
#include <kaido/detail/buffer.h>
#include <kaido/detail/function_name.h>
#include <kaido/error.h>
#include <kaido/result.h>
#include <kaido/task.h>

namespace kaido::detail {

/// One execution of a function in this process: where its arguments are and where its outcome goes.
struct Invocation {
  explicit Invocation(kaido::Context& call_context, std::span<const std::byte> argument_bytes)
      : context(call_context), arguments(argument_bytes) {}

  kaido::Context& context;
  std::span<const std::byte> arguments;
  Buffer result;
  std::optional<Error> error;
};

/// What a process knows about a function it can run. Constant-initialised, lives for ever; the call path reaches `run` or
/// `start` through one table look-up by index.
struct FunctionEntry {
  std::string_view name;
  std::uint64_t id = 0;
  std::uint64_t fingerprint = 0;
  std::string (*schema)() = nullptr;
  void (*run)(Invocation&) = nullptr;           ///< of a plain function
  Task<void> (*start)(Invocation&) = nullptr;   ///< of one that returns a Task
  FunctionEntry* next = nullptr;                ///< in the list of the registered
  bool registered = false;
};

/// Adds to the list; a second time is ignored (the macro stands in a header that several files include).
void register_function(FunctionEntry& entry) noexcept;
/// The newest registration; follow `next`.
[[nodiscard]] const FunctionEntry* first_function() noexcept;

template <class R>
struct ReturnType {
  using type = R;
  static constexpr bool kTask = false;
  static constexpr bool kResult = false;
};
template <class T>
struct ReturnType<Result<T>> {
  using type = T;
  static constexpr bool kTask = false;
  static constexpr bool kResult = true;
};
template <class T>
struct ReturnType<Task<T>> {
  using type = typename ReturnType<T>::type;
  static constexpr bool kTask = true;
  static constexpr bool kResult = ReturnType<T>::kResult;
};

template <class T>
struct IsView : std::false_type {};
template <class E>
struct IsView<std::span<E>> : std::true_type {};
template <>
struct IsView<std::string_view> : std::true_type {};

/// Fails to compile, with a reason, for a parameter that cannot travel. The instantiation shown by the compiler names the
/// parameter's position and type.
template <std::size_t Position, class P>
constexpr bool check_parameter() {
  static_assert(!std::is_pointer_v<std::remove_cvref_t<P>>,
                "A pointer means nothing in another process: take the object by value or const reference, text as "
                "std::string_view, arrays as std::span<const T>");
  static_assert(!std::is_lvalue_reference_v<P> || std::is_const_v<std::remove_reference_t<P>>,
                "A remote function cannot change its caller's object: take it by value or const reference, and return the "
                "changed one");
  static_assert(std::is_default_constructible_v<typename Received<std::remove_cvref_t<P>>::type>,
                "Kaido must be able to make an empty object to receive into: give this type a default constructor");
  return true;
}

template <class R, class... P>
struct SignatureOf {
  using Return = R;
  using Result = typename ReturnType<R>::type;
  using Args = Arguments<std::remove_cvref_t<P>...>;
  static constexpr bool kTask = ReturnType<R>::kTask;
  static constexpr bool kResult = ReturnType<R>::kResult;

  static_assert(!IsView<Result>::value,
                "The result must own its data, which the caller reads after the function has ended: return std::string or "
                "std::vector instead of a view");
  static_assert(!std::is_reference_v<Result> && !std::is_pointer_v<Result>,
                "A reference or pointer means nothing in another process: return the object itself");

  static constexpr std::uint64_t fingerprint() { return detail::fingerprint<Result, std::remove_cvref_t<P>...>(); }
  static std::string schema() { return schema_text<Result, std::remove_cvref_t<P>...>(); }

  template <std::size_t... I>
  static constexpr bool check(std::index_sequence<I...>) {
    return (true && ... && check_parameter<I + 1, P>());
  }
  static constexpr bool kChecked = check(std::index_sequence_for<P...>{});

  /// Calls F with what was received; each parameter in its own value category.
  template <auto F, bool TakesContext>
  static R call(Invocation& invocation, typename Args::Storage& storage) {
    return std::apply(
        [&](auto&... received) -> R {
          if constexpr (TakesContext) {
            return F(invocation.context, pass<P>(received)...);
          } else {
            return F(pass<P>(received)...);
          }
        },
        storage);
  }

 private:
  template <class Parameter, class Stored>
  static decltype(auto) pass(Stored& stored) {
    if constexpr (!std::is_same_v<Stored, std::remove_cvref_t<Parameter>>) {
      return std::remove_cvref_t<Parameter>(stored);  // A SpanArgument as the span.
    } else if constexpr (std::is_lvalue_reference_v<Parameter>) {
      return static_cast<const Stored&>(stored);
    } else {
      return static_cast<Stored&&>(stored);
    }
  }
};

/// The signature of a function pointer; whether Context& comes first.
template <class F>
struct Signature {
  static_assert(always_false<F>,
                "Only plain functions can be called remotely: give the address of a function or of a static member "
                "function (for one of several overloads: KAIDO_FUNCTION_AS(\"name\", static_cast<R (*)(A)>(&f)))");
};
template <class R, class... P>
struct Signature<R (*)(P...)> : SignatureOf<R, P...> {
  static constexpr bool kTakesContext = false;
};
template <class R, class... P>
struct Signature<R (*)(kaido::Context&, P...)> : SignatureOf<R, P...> {
  static constexpr bool kTakesContext = true;
};
template <class R, class... P>
struct Signature<R (*)(P...) noexcept> : Signature<R (*)(P...)> {};

template <class R>
void encode_result(Buffer& out, const R& value) {
  std::byte* const at = out.allocate(Message<R>::size(value));
  Message<R>::write(at, value);
}

/// Puts a value or a Result where the invocation's outcome goes.
template <class R, class Returned>
void finish(Invocation& call, Returned&& returned) {
  if constexpr (std::is_same_v<std::remove_cvref_t<Returned>, Result<R>>) {
    if (!returned) {
      call.error = std::move(returned).error();
    } else if constexpr (!std::is_void_v<R>) {
      encode_result<R>(call.result, *returned);
    }
  } else {
    encode_result<R>(call.result, returned);
  }
}

template <auto F>
bool decode_arguments(Invocation& call, typename Signature<decltype(F)>::Args::Storage& storage) {
  if (auto failure = Signature<decltype(F)>::Args::read(call.arguments, storage)) {
    call.error = Error(ErrorKind::kInvalidArgument, explain(function_name<F>(), *failure, "parameter"));
    return false;
  }
  return true;
}

template <auto F>
void run_plain(Invocation& call) {
  using S = Signature<decltype(F)>;
  try {
    typename S::Args::Storage storage{};
    if (!decode_arguments<F>(call, storage)) return;
    if constexpr (std::is_void_v<typename S::Return>) {
      S::template call<F, S::kTakesContext>(call, storage);
    } else {
      finish<typename S::Result>(call, S::template call<F, S::kTakesContext>(call, storage));
    }
  } catch (...) {
    call.error = Error::from_exception(std::current_exception());
  }
}

template <auto F>
Task<void> start_task(Invocation& call) {
  using S = Signature<decltype(F)>;
  try {
    typename S::Args::Storage storage{};
    if (!decode_arguments<F>(call, storage)) co_return;
    auto task = S::template call<F, S::kTakesContext>(call, storage);
    if constexpr (std::is_void_v<typename decltype(task)::value_type>) {
      co_await std::move(task);
    } else {
      auto value = co_await std::move(task);
      finish<typename S::Result>(call, std::move(value));
    }
  } catch (...) {
    call.error = Error::from_exception(std::current_exception());
  }
}

template <auto F>
constexpr FunctionEntry make_entry() {
  using S = Signature<decltype(F)>;
  static_assert(S::kChecked);
  FunctionEntry entry;
  entry.name = function_name<F>();
  entry.id = hash64(entry.name);
  entry.fingerprint = S::fingerprint();
  entry.schema = &S::schema;
  if constexpr (S::kTask) {
    entry.start = &start_task<F>;
  } else {
    entry.run = &run_plain<F>;
  }
  return entry;
}

/// One per function and program, whichever files register it.
template <auto F>
inline constinit FunctionEntry kEntryOf = make_entry<F>();

class Registrar {
 public:
  explicit Registrar(FunctionEntry& entry) noexcept { register_function(entry); }
};

}  // namespace kaido::detail

#define KAIDO_DETAIL_JOIN2(a, b) a##b
#define KAIDO_DETAIL_JOIN(a, b) KAIDO_DETAIL_JOIN2(a, b)
#define KAIDO_DETAIL_FUNCTION_AS(number, name, ...)                                                             \
  struct KAIDO_DETAIL_JOIN(KaidoName, number) : ::kaido::detail::NamedFunction<(__VA_ARGS__), name> {};         \
  static const ::kaido::detail::Registrar KAIDO_DETAIL_JOIN(kaido_registrar_, number) {                         \
    ::kaido::detail::kEntryOf<(__VA_ARGS__)>                                                                    \
  }

/// At namespace scope: offers a function under its qualified name.
#define KAIDO_FUNCTION(function)                                                              \
  static const ::kaido::detail::Registrar KAIDO_DETAIL_JOIN(kaido_registrar_, __COUNTER__) {  \
    ::kaido::detail::kEntryOf<&function>                                                      \
  }

/// At namespace scope, before the function's first use in a call: offers a function under a name of your own.
#define KAIDO_FUNCTION_AS(name, ...) KAIDO_DETAIL_FUNCTION_AS(__COUNTER__, name, __VA_ARGS__)
