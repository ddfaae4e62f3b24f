/// Member functions that other processes can call, on an object that this program serves.
///
///     class Counter {                                     // in a header that callers and workers share
///      public:
///       std::int64_t add(std::int64_t amount = 1);
///       [[nodiscard]] std::int64_t get() const noexcept;
///     };
///     KAIDO_SERVICE(Counter, add, get);
///
///     const kaido::Service counter = kaido::serve(std::make_shared<Counter>());          // in the worker, before
///     connect()
///
///     kaido::Result<std::int64_t> sum = co_await kaido::remote<&Counter::add>().call(5);  // in callers
///
/// A method may be const, noexcept, virtual, a coroutine, and take what a function takes; its name is that of its class
/// and its own, "ns::Counter::add". Callers need the class's declaration only.
#pragma once

#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include <kaido/detail/declaration.h>
#include <kaido/detail/function_name.h>
#include <kaido/detail/invocation.h>
#include <kaido/detail/signature.h>
#include <kaido/function.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Keeps an object served: the methods are offered from serve() until this ends.
///
/// Threading: movable between threads.
/// Lifetime: when it ends, calls under way keep the object alive until they are done; later ones are rejected, so that
/// the node sends them elsewhere. A node is told what is offered when the connection is made: serve() first, then
/// connect.
class [[nodiscard]] Service {
 public:
  Service() noexcept = default;
  Service(Service&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  Service& operator=(Service&& other) noexcept {
    if (this != &other) {
      end();
      slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
  }
  ~Service() { end(); }

  /// Before its destruction; twice does no harm.
  void end() noexcept {
    if (slot_ != nullptr) std::exchange(slot_, nullptr)->clear();
  }

  /// Internal.
  Service(detail::ServiceSlot& slot, std::shared_ptr<void> object, std::string_view first_method);

 private:
  detail::ServiceSlot* slot_ = nullptr;
};

namespace detail {

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-template-friend"  // That it is no template is the purpose.
#endif

/// The methods of a class: what KAIDO_SERVICE attaches to it, as KAIDO_FUNCTION attaches a declaration to a function.
template <class C>
struct ServiceKey {
  friend constexpr auto kaido_methods(ServiceKey);
};
template <class C, class Methods>
struct AttachMethods {
  friend constexpr auto kaido_methods(ServiceKey<C>) { return Methods{}; }
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/// `Code`: how the method is called by its name.
template <class Code, auto F>
struct Method {
  static constexpr auto kFunction = F;
  static void add() noexcept { register_code<F, Code>(); }
};

template <class C, class... M>
Service serve_methods(std::shared_ptr<C> object, TypeList<void, M...>) {
  static_assert((std::is_same_v<typename Signature<std::remove_const_t<decltype(M::kFunction)>>::Object, C> && ...),
                "KAIDO_SERVICE lists a method that the class inherits: serve the class that declares it");
  std::string_view first;
  static_cast<void>(((first = function_name<M::kFunction>(), true) || ...));
  Service service(kServiceOf<C>, std::move(object), first);
  (M::add(), ...);
  return service;
}

}  // namespace detail

/// Offers the methods that KAIDO_SERVICE lists for C, on this object, until the returned Service ends. The object is
/// called from the threads of the runtime: several calls at once on a multi-thread runtime, so it guards what it
/// changes; one at a time on a current-thread runtime, except that coroutine methods interleave where they wait.
///
/// Throws std::logic_error if the object is null or another one of class C is served already.
template <class C>
[[nodiscard]] Service serve(std::shared_ptr<C> object) {
  static_assert(!std::is_const_v<C>, "Serve the object as one that may be changed; its const methods stay const");
  static_assert(
      requires { kaido_methods(detail::ServiceKey<C>{}); },
      "Which methods? List them with KAIDO_SERVICE(Class, method, ...)");
  return detail::serve_methods(std::move(object), kaido_methods(detail::ServiceKey<C>{}));
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop

#define KAIDO_DETAIL_PARENS ()
#define KAIDO_DETAIL_EXPAND(...) \
  KAIDO_DETAIL_EXPAND4(KAIDO_DETAIL_EXPAND4(KAIDO_DETAIL_EXPAND4(KAIDO_DETAIL_EXPAND4(__VA_ARGS__))))
#define KAIDO_DETAIL_EXPAND4(...) \
  KAIDO_DETAIL_EXPAND3(KAIDO_DETAIL_EXPAND3(KAIDO_DETAIL_EXPAND3(KAIDO_DETAIL_EXPAND3(__VA_ARGS__))))
#define KAIDO_DETAIL_EXPAND3(...) \
  KAIDO_DETAIL_EXPAND2(KAIDO_DETAIL_EXPAND2(KAIDO_DETAIL_EXPAND2(KAIDO_DETAIL_EXPAND2(__VA_ARGS__))))
#define KAIDO_DETAIL_EXPAND2(...) \
  KAIDO_DETAIL_EXPAND1(KAIDO_DETAIL_EXPAND1(KAIDO_DETAIL_EXPAND1(KAIDO_DETAIL_EXPAND1(__VA_ARGS__))))
#define KAIDO_DETAIL_EXPAND1(...) __VA_ARGS__

/// `macro(number, class, method)` for each method; up to some 250.
#define KAIDO_DETAIL_FOR_EACH(macro, number, class_name, ...) \
  __VA_OPT__(KAIDO_DETAIL_EXPAND(KAIDO_DETAIL_FOR_STEP(macro, number, class_name, __VA_ARGS__)))
#define KAIDO_DETAIL_FOR_STEP(macro, number, class_name, method, ...) \
  macro(number, class_name, method)                                   \
      __VA_OPT__(KAIDO_DETAIL_FOR_AGAIN KAIDO_DETAIL_PARENS(macro, number, class_name, __VA_ARGS__))
#define KAIDO_DETAIL_FOR_AGAIN() KAIDO_DETAIL_FOR_STEP

#define KAIDO_DETAIL_METHOD_NAME2(number, method) KaidoMethod##number##_##method
#define KAIDO_DETAIL_METHOD_NAME(number, method) KAIDO_DETAIL_METHOD_NAME2(number, method)

#define KAIDO_DETAIL_METHOD_CODE(code, class_name, method)                     \
  struct code {                                                                \
    template <class C, class... A>                                             \
    static constexpr bool accepts() {                                          \
      return requires { ::std::declval<C>().method(::std::declval<A>()...); }; \
    }                                                                          \
    template <class C, class... A>                                             \
    static decltype(auto) call(C& object, A&&... arguments) {                  \
      return object.method(static_cast<A&&>(arguments)...);                    \
    }                                                                          \
  };
#define KAIDO_DETAIL_METHOD(number, class_name, method, ...)                                     \
  KAIDO_DETAIL_METHOD_CODE(KAIDO_DETAIL_METHOD_NAME(number, method), class_name, method)         \
  struct KAIDO_DETAIL_JOIN(KAIDO_DETAIL_METHOD_NAME(number, method), Declaration)                \
      : decltype(::kaido::detail::declare<KAIDO_DETAIL_METHOD_NAME(number, method), "",          \
                                          &class_name::method __VA_OPT__(, ) __VA_ARGS__>()) {}; \
  static_assert(::kaido::detail::check_declared<KAIDO_DETAIL_METHOD_NAME(number, method), "", &class_name::method>());
#define KAIDO_DETAIL_METHOD_IN_LIST(number, class_name, method) \
  , ::kaido::detail::Method<KAIDO_DETAIL_METHOD_NAME(number, method), &class_name::method>

#define KAIDO_DETAIL_SERVICE(number, class_name, ...)                                                          \
  namespace {                                                                                                  \
  KAIDO_DETAIL_FOR_EACH(KAIDO_DETAIL_METHOD, number, class_name, __VA_ARGS__)                                  \
  struct KAIDO_DETAIL_JOIN(KaidoService, number)                                                               \
      : ::kaido::detail::AttachMethods<class_name,                                                             \
                                       ::kaido::detail::TypeList<void KAIDO_DETAIL_FOR_EACH(                   \
                                           KAIDO_DETAIL_METHOD_IN_LIST, number, class_name, __VA_ARGS__)>> {}; \
  }                                                                                                            \
  static_assert(true)
#define KAIDO_DETAIL_METHOD_ALONE(number, class_name, method, ...)           \
  namespace {                                                                \
  KAIDO_DETAIL_METHOD(number, class_name, method __VA_OPT__(, ) __VA_ARGS__) \
  }                                                                          \
  static_assert(true)

/// At namespace scope, once for a class, before the first use of its methods in a call: which of its methods serve()
/// offers. An overloaded method has no name of its own: offer it beside with
/// KAIDO_FUNCTION_AS("Counter.add_all", static_cast<R (Counter::*)(A)>(&Counter::add)).
#define KAIDO_SERVICE(class_name, ...) KAIDO_DETAIL_SERVICE(__COUNTER__, class_name, __VA_ARGS__)

/// At namespace scope, before KAIDO_SERVICE: names the parameters of a method, e.g. KAIDO_METHOD(Counter, add,
/// "amount").
#define KAIDO_METHOD(class_name, ...) KAIDO_DETAIL_METHOD_ALONE(__COUNTER__, class_name, __VA_ARGS__)
