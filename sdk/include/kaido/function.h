/// Functions that other processes can call: KAIDO_FUNCTION and what stands behind it.
///
///     std::int64_t count_words(std::string_view text, std::int64_t limit = 100);
///     KAIDO_FUNCTION(count_words, "text", "limit");      // offered by every program that links this line
///     KAIDO_FUNCTION_AS("sort<int>", &sort_all<int>);    // a name of your own, for templates and overloads
///
/// A function may be plain or return kaido::Task<T>; may return kaido::Result<T>; may take kaido::Context& first; may
/// be noexcept. Parameters are taken by value, const reference or, in plain functions, rvalue reference; views
/// (std::string_view, std::span) point into the received bytes and live until the function is done. Parameters at the
/// end that are std::optional or have a default argument may be left out by callers; default arguments are evaluated
/// where the function runs. An exception that leaves it reaches the caller as ErrorKind::kPanicked with type and text.
/// Member functions: kaido/service.h.
///
/// The names of the parameters are for people, JSON and other languages: a1, a2… if none are given.
///
/// In a header that callers and workers share, KAIDO_DECLARE says the same without offering the function, so that
/// callers need not link it. It is needed only for what callers cannot see in the declaration: a name of its own,
/// default arguments, parameter names.
///
/// Registration is an object of static storage that links itself into a list: the one static registration that Kaido
/// has. A static library's object file that nothing refers to is left out by the linker, and its functions with it. In
/// Bazel say `alwayslink = 1`; with CMake `$<LINK_LIBRARY:WHOLE_ARCHIVE,mine>`; with a plain linker
/// `-Wl,--whole-archive libmine.a -Wl,--no-whole-archive`; or name one function of each file in KAIDO_REQUIRE, which
/// turns the omission into a link that succeeds or an error. Object files and shared libraries need nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <kaido/detail/declaration.h>
#include <kaido/detail/function_facts.h>
#include <kaido/detail/function_name.h>
#include <kaido/detail/invocation.h>
#include <kaido/detail/signature.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// What a process knows about a function it can run. Lives for ever; the call path reaches `run` or `start` through one
/// table look-up by index.
struct FunctionEntry : FunctionFacts {
  const ServiceSlot* service = nullptr;        ///< of a member function: offered while an object is there
  void (*run)(Invocation&) = nullptr;          ///< of a plain function
  Task<void> (*start)(Invocation&) = nullptr;  ///< of one that returns a Task
  FunctionEntry* next = nullptr;               ///< in the list of the registered
  bool registered = false;
};

/// Adds to the list; a second time is ignored (the macro stands in a header that several files include).
void register_function(FunctionEntry& entry, void (*run)(Invocation&), Task<void> (*start)(Invocation&)) noexcept;
/// The newest registration; follow `next`.
[[nodiscard]] const FunctionEntry* first_function() noexcept;

/// The message that F's parameters are, to its callers as to itself.
template <auto F, class D>
using WireOf = Wire<Signature<decltype(F)>, D::kRequired>;

template <auto F, class D>
constexpr FunctionFacts facts_of() {
  static_assert(Signature<decltype(F)>::kChecked);
  using W = WireOf<F, D>;
  return FunctionFacts(function_name<F>(), W::fingerprint(), W::schema(), declared_parameters<F, D>());
}

template <auto F, class D>
constexpr FunctionEntry make_entry() {
  using Object = typename Signature<decltype(F)>::Object;
  FunctionEntry entry{facts_of<F, D>()};
  if constexpr (!std::is_void_v<Object>) entry.service = &kServiceOf<Object>;
  return entry;
}

/// One per function and program, whichever files register it.
template <auto F, class D = DeclaredOf<F>>
inline constinit FunctionEntry kEntryOf = make_entry<F, D>();

template <auto F, class Code>
void register_code() noexcept {
  if constexpr (Signature<decltype(F)>::kTask) {
    register_function(kEntryOf<F>, nullptr, &Runner<F, Code>::start);
  } else {
    register_function(kEntryOf<F>, &Runner<F, Code>::run, nullptr);
  }
}

template <class Code, class... Before, class... P, std::size_t... I>
constexpr bool accepts_first(TypeList<Before...>, TypeList<P...>, std::index_sequence<I...>) {
  return Code::template accepts<Before..., std::tuple_element_t<I, std::tuple<P...>>...>();
}
/// The smallest number of leading arguments with which Code can be called, of Count at most. The usual function,
/// without default arguments, ends at the first try.
template <class Code, std::size_t Count, class Before, class List>
constexpr std::size_t required_arguments() {
  if constexpr (Count == 0) {
    return 0;
  } else if constexpr (!accepts_first<Code>(Before{}, List{}, std::make_index_sequence<Count - 1>{})) {
    return Count;
  } else {
    return required_arguments<Code, Count - 1, Before, List>();
  }
}

template <class S>
constexpr auto first_parameters() {
  using Object = std::add_lvalue_reference_t<typename S::Object>;
  if constexpr (std::is_void_v<typename S::Object>) {
    if constexpr (S::kTakesContext) {
      return TypeList<kaido::Context&>{};
    } else {
      return TypeList<>{};
    }
  } else if constexpr (S::kTakesContext) {
    return TypeList<Object, kaido::Context&>{};
  } else {
    return TypeList<Object>{};
  }
}

struct NothingToDeclare {};

/// Attaches what a macro says about F, unless there is nothing to say or an earlier macro has said it.
template <class Code, FixedString Name, auto F, FixedString... Parameters>
constexpr auto declare() {
  using S = Signature<decltype(F)>;
  constexpr std::size_t kCount = S::Parameters::kSize;
  constexpr std::size_t kRequired =
      required_arguments<Code, kCount, decltype(first_parameters<S>()), typename S::Parameters>();
  using Said = Declaration<kRequired, Name, Parameters...>;
  static_assert(sizeof...(Parameters) == 0 || sizeof...(Parameters) == kCount,
                "Name every parameter of the function or none (a Context& is no parameter of the call)");
  static_assert(all_parameter_names(Said::kParameters),
                "A parameter's name consists of letters, digits and _, as in C++");
  static_assert(all_different(Said::kParameters),
                "Two parameters have one name (capitals and _ do not count, since JSON leaves them out)");
  constexpr bool kSaysNothing = Name.view().empty() && sizeof...(Parameters) == 0;
  if constexpr (kIsDeclared<F, Code>) {
    if constexpr (!kSaysNothing) {
      using Earlier = decltype(kaido_declaration(FunctionKey<F>{}));
      static_assert(Said::hash() == Earlier::hash(),
                    "The function is already declared under another name or with other parameter names");
    }
    return NothingToDeclare{};
  } else if constexpr (kSaysNothing && kRequired == kCount) {
    return NothingToDeclare{};
  } else {
    return AttachDeclaration<F, Said>{};
  }
}

/// What a macro has attached must be seen by everything in this file.
template <class Code, FixedString, auto F, FixedString...>
constexpr bool check_declared() {
  static_assert(
      !kIsDeclared<F, Code*> || !std::is_same_v<DeclaredOf<F>, NotDeclared>,
      "This must stand before the function's first use in a call: its name, parameter names or default arguments "
      "come too late");
  return true;
}

template <class Code, FixedString, auto F, FixedString...>
class Registrar : DefineAnchor<F> {
 public:
  Registrar() noexcept {
    register_code<F, Code>();
    static_cast<void>(kaido_is_registered(FunctionKey<F>{}));  // Has it emitted.
  }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop

#define KAIDO_DETAIL_JOIN2(a, b) a##b
#define KAIDO_DETAIL_JOIN(a, b) KAIDO_DETAIL_JOIN2(a, b)

/// How the function is called by its name, which default arguments belong to. Local to the file, as the declarations
/// are.
#define KAIDO_DETAIL_CODE(code, function)                      \
  struct code {                                                \
    template <class... A>                                      \
    static constexpr bool accepts() {                          \
      return requires { (function)(::std::declval<A>()...); }; \
    }                                                          \
    template <class... A>                                      \
    static decltype(auto) call(A&&... arguments) {             \
      return (function)(static_cast<A&&>(arguments)...);       \
    }                                                          \
  };
#define KAIDO_DETAIL_DIRECT(code, ...) \
  struct code : ::kaido::detail::FirstCode<__VA_ARGS__> {};

/// `...`: the name, the function, the parameters' names, as template arguments.
#define KAIDO_DETAIL_DECLARE(number, code, ...)                                                                    \
  struct KAIDO_DETAIL_JOIN(KaidoDeclaration, number) : decltype(::kaido::detail::declare<code, __VA_ARGS__>()) {}; \
  static_assert(::kaido::detail::check_declared<code, __VA_ARGS__>());
#define KAIDO_DETAIL_REGISTER(number, code, ...) \
  [[maybe_unused]] const ::kaido::detail::Registrar<code, __VA_ARGS__> KAIDO_DETAIL_JOIN(kaido_registrar_, number);

#define KAIDO_DETAIL_FUNCTION(number, does, function, ...)                                                     \
  namespace {                                                                                                  \
  KAIDO_DETAIL_CODE(KAIDO_DETAIL_JOIN(KaidoCode, number), function)                                            \
  KAIDO_DETAIL_DECLARE(number, KAIDO_DETAIL_JOIN(KaidoCode, number), "", &function __VA_OPT__(, ) __VA_ARGS__) \
  does(number, KAIDO_DETAIL_JOIN(KaidoCode, number), "", &function __VA_OPT__(, ) __VA_ARGS__)                 \
  }                                                                                                            \
  static_assert(true)
#define KAIDO_DETAIL_FUNCTION_AS(number, does, name, ...)                               \
  namespace {                                                                           \
  KAIDO_DETAIL_DIRECT(KAIDO_DETAIL_JOIN(KaidoCode, number), __VA_ARGS__)                \
  KAIDO_DETAIL_DECLARE(number, KAIDO_DETAIL_JOIN(KaidoCode, number), name, __VA_ARGS__) \
  does(number, KAIDO_DETAIL_JOIN(KaidoCode, number), name, __VA_ARGS__)                 \
  }                                                                                     \
  static_assert(true)
#define KAIDO_DETAIL_NOTHING(number, code, ...)

/// At namespace scope: offers a function under its qualified name; after it, in quotes, the names of its parameters.
#define KAIDO_FUNCTION(...) KAIDO_DETAIL_FUNCTION(__COUNTER__, KAIDO_DETAIL_REGISTER, __VA_ARGS__)

/// At namespace scope, before the function's first use in a call: offers a function under a name of your own, e.g.
/// KAIDO_FUNCTION_AS("sort<int>", &sort_all<int>, "numbers"). Called through its address, it has no default arguments.
#define KAIDO_FUNCTION_AS(name, ...) KAIDO_DETAIL_FUNCTION_AS(__COUNTER__, KAIDO_DETAIL_REGISTER, name, __VA_ARGS__)

/// The same without offering it, in the header where the function is declared.
#define KAIDO_DECLARE(...) KAIDO_DETAIL_FUNCTION(__COUNTER__, KAIDO_DETAIL_NOTHING, __VA_ARGS__)
#define KAIDO_DECLARE_AS(name, ...) KAIDO_DETAIL_FUNCTION_AS(__COUNTER__, KAIDO_DETAIL_NOTHING, name, __VA_ARGS__)

/// At namespace scope, in a program that must offer the function: takes the file with its KAIDO_FUNCTION from whatever
/// static library has it. If none has, the linker says "undefined reference to kaido_is_registered(…)" and names it.
#define KAIDO_REQUIRE(...)                                                             \
  [[maybe_unused]] static const bool KAIDO_DETAIL_JOIN(kaido_required_, __COUNTER__) = \
      kaido_is_registered(::kaido::detail::FunctionKey<&__VA_ARGS__>{})
