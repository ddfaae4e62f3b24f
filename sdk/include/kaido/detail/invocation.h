/// Running a function from bytes: Invocation and what a registration makes of a function.
///
/// Internal to kaido/function.h.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <kaido/codec.h>
#include <kaido/context.h>
#include <kaido/detail/buffer.h>
#include <kaido/detail/function_name.h>
#include <kaido/detail/signature.h>
#include <kaido/error.h>
#include <kaido/result.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// One execution of a function in this process: where its arguments are and where its outcome goes.
struct Invocation {
  explicit Invocation(kaido::Context& call_context, std::span<const std::byte> argument_bytes)
      : context(call_context), arguments(argument_bytes) {}

  kaido::Context& context;
  std::span<const std::byte> arguments;
  Buffer result;
  std::optional<Error> error;
};

/// The object whose member functions are offered, of one class.
///
/// Threading: thread-safe.
class ServiceSlot {
 public:
  constexpr ServiceSlot() noexcept = default;

  /// Null: none is served.
  [[nodiscard]] std::shared_ptr<void> get() const {
    const std::lock_guard lock(mutex_);
    return object_;
  }
  /// False if one is served already.
  [[nodiscard]] bool put(std::shared_ptr<void> object);
  void clear() noexcept;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<void> object_;
};

template <class C>
inline constinit ServiceSlot kServiceOf{};

// What can go wrong, out of line: it is compiled once and not with each function.

/// kRejected: another place may have one.
void fail_without_service(Invocation& call, std::string_view function);
/// kInvalidArgument.
void fail_malformed(Invocation& call, std::string_view function, const DecodeFailure& failure);
void fail_left_out_before_given(Invocation& call, std::string_view function);
void fail_result_too_deep(Invocation& call);
/// The caller's side of that.
[[nodiscard]] Error arguments_too_deep(std::string_view function);
/// Of the exception that is being handled.
void fail_by_exception(Invocation& call) noexcept;

template <class R>
void encode_result(Invocation& call, const R& value) {
  const auto written = Arguments<R>::encode([&call](std::size_t size) { return call.result.allocate(size); }, value);
  if (!written) fail_result_too_deep(call);
}

/// Puts a value or a Result where the invocation's outcome goes.
template <class R, class Returned>
void finish(Invocation& call, Returned&& returned) {
  if constexpr (std::is_same_v<std::remove_cvref_t<Returned>, Result<R>>) {
    if (!returned) {
      call.error = std::move(returned).error();
    } else if constexpr (!std::is_void_v<R>) {
      encode_result<R>(call, *returned);
    }
  } else {
    encode_result<R>(call, returned);
  }
}

/// How F is called: `Code::call(arguments…)`, for a member function with the object first. Of the arguments, those that
/// have default arguments in C++ may be left out.
template <auto F>
struct DirectCode {
  template <class... A>
  static constexpr bool accepts() {
    return std::is_invocable_v<decltype(F), A...>;
  }
  template <class... A>
  static decltype(auto) call(A&&... arguments) {
    if constexpr (std::is_member_function_pointer_v<decltype(F)>) {
      return call_member(std::forward<A>(arguments)...);
    } else {
      return F(std::forward<A>(arguments)...);
    }
  }

 private:
  template <class C, class... A>
  static decltype(auto) call_member(C& object, A&&... arguments) {
    return (object.*F)(std::forward<A>(arguments)...);
  }
};

/// Of the macros that take an address, and possibly names after it.
template <auto F, FixedString...>
struct FirstCode : DirectCode<F> {};

template <auto F, class Code>
struct Runner {
  using S = Signature<decltype(F)>;
  using W = Wire<S, DeclaredOf<F>::kRequired>;
  using R = typename S::Return;
  using Storage = typename W::Storage;
  static constexpr bool kIsMethod = !std::is_void_v<typename S::Object>;

  static void run(Invocation& call) {
    try {
      const auto object = find_object(call);
      Storage storage{};
      const std::size_t count = prepare(call, storage);
      if (call.error) return;
      if constexpr (std::is_void_v<R>) {
        invoke<W::kCount>(call, count, storage, object);
      } else {
        finish<typename S::Result>(call, invoke<W::kCount>(call, count, storage, object));
      }
    } catch (...) {
      fail_by_exception(call);
    }
  }

  static Task<void> start(Invocation& call) {
    try {
      const auto object = find_object(call);
      Storage storage{};
      const std::size_t count = prepare(call, storage);
      if (call.error) co_return;
      auto task = invoke<W::kCount>(call, count, storage, object);
      if constexpr (std::is_void_v<typename decltype(task)::value_type>) {
        co_await std::move(task);
      } else {
        auto value = co_await std::move(task);
        finish<typename S::Result>(call, std::move(value));
      }
    } catch (...) {
      fail_by_exception(call);
    }
  }

 private:
  /// Held until the function is done.
  static auto find_object([[maybe_unused]] Invocation& call) {
    if constexpr (kIsMethod) {
      auto object = std::static_pointer_cast<typename S::Object>(kServiceOf<typename S::Object>.get());
      if (object == nullptr) fail_without_service(call, function_name<F>());
      return object;
    } else {
      return nullptr;
    }
  }

  /// Decodes; with how many arguments the function is to be called.
  static std::size_t prepare(Invocation& call, Storage& storage) {
    if (call.error) return 0;
    if (const auto failure = W::Args::read(call.arguments, storage)) {
      fail_malformed(call, function_name<F>(), *failure);
      return 0;
    }
    const auto count = W::given(storage);
    if (!count) fail_left_out_before_given(call, function_name<F>());
    return count.value_or(0);
  }

  template <std::size_t Count, class Object>
  static R invoke(Invocation& call, std::size_t count, Storage& storage, const Object& object) {
    if constexpr (Count > W::kRequired) {
      if (count < Count) return invoke<Count - 1>(call, count, storage, object);
    }
    return W::template call<Count>(
        [&](auto&&... arguments) -> R {
          return call_code(call, object, std::forward<decltype(arguments)>(arguments)...);
        },
        storage);
  }
  template <class Object, class... A>
  static R call_code([[maybe_unused]] Invocation& call, [[maybe_unused]] const Object& object, A&&... arguments) {
    if constexpr (kIsMethod && S::kTakesContext) {
      return Code::call(*object, call.context, std::forward<A>(arguments)...);
    } else if constexpr (kIsMethod) {
      return Code::call(*object, std::forward<A>(arguments)...);
    } else if constexpr (S::kTakesContext) {
      return Code::call(call.context, std::forward<A>(arguments)...);
    } else {
      return Code::call(std::forward<A>(arguments)...);
    }
  }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
