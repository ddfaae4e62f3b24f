/// Calls to registered functions, wherever they run: spawn_fn<f>(…) and the builder remote<f>().
///
///     kaido::JoinHandle<std::int64_t> handle = kaido::spawn_fn<count_words>(text);
///
///     kaido::Result<std::int64_t> count =
///         co_await kaido::remote<count_words>().in_zone("eu-1").with_timeout(2s).call(text);
///
///     const auto count_words = kaido::remote<std::int64_t(std::string)>("count_words");   // by name, no header shared
///
/// A call site needs the function's declaration only; the definition may be linked by the workers alone. By name it
/// needs not even that: the stated signature is compared with the worker's when the first call is placed.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <kaido/codec.h>
#include <kaido/detail/call_scope.h>
#include <kaido/detail/function_name.h>
#include <kaido/detail/pending_call.h>
#include <kaido/detail/temporary.h>
#include <kaido/detail/signature.h>
#include <kaido/detail/task_header.h>
#include <kaido/function.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/placement.h>
#include <kaido/result.h>
#include <kaido/time.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

template <class R>
class RemoteCall;

namespace detail {

template <auto F, class D>
inline constinit CallTarget kTargetOf{facts_of<F, D>(), std::is_void_v<typename Signature<decltype(F)>::Object>
                                                            ? CallTarget::Kind::kFunction
                                                            : CallTarget::Kind::kMethod};

/// A remote call spawned as a task of its own, without a coroutine in between.
template <class R>
class RemoteCell final : public JoinCell<R> {
 public:
  RemoteCell(RuntimeCore* core, RemoteCall<R> call) : JoinCell<R>(core), call_(std::move(call)) {}
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* cell, std::size_t size) noexcept { free_frame(cell, size); }

 protected:
  bool poll(PollContext& context) noexcept override {
    try {
      if (!call_->poll(context)) return false;
      Result<R> result = call_->take();
      if (!result) {
        this->outcome_.set_exception(std::make_exception_ptr(ErrorException(std::move(result).error())));
      } else if constexpr (std::is_void_v<R>) {
        this->outcome_.set_value();
      } else {
        this->outcome_.set_value(*std::move(result));
      }
    } catch (...) {
      this->outcome_.set_exception(std::current_exception());
    }
    return true;
  }
  void drop_frame() noexcept override { call_.reset(); }
  void destroy() noexcept override { delete this; }

 private:
  ~RemoteCell() override = default;

  std::optional<RemoteCall<R>> call_;
};

}  // namespace detail

/// A call that is ready to go. Nothing is sent until it is awaited, spawned or put into a JoinSet; awaiting it gives
/// Result<R>.
///
/// Threading: confined to the task that awaits it.
/// Lifetime: owns its encoded arguments: what was passed to call() may end. Movable until it is first awaited.
/// Cancellation: dropping it while it is under way sends Cancel to where it runs and is done at once.
/// Errors: those of ErrorKind; kUnavailable while the node cannot be reached (try again), kInvalidArgument and
/// kSignatureMismatch are final.
template <class R>
class [[nodiscard]] RemoteCall : private detail::PendingCall {
 public:
  using value_type = R;

  RemoteCall(detail::CallTarget& target, std::shared_ptr<const detail::PlacementRules> rules,
             const detail::CallLimits& limits, std::shared_ptr<detail::Backend> backend)
      : PendingCall(target), backend_(std::move(backend)), limits_(limits) {
    placement = std::move(rules);
    trace = limits.trace;
  }
  RemoteCall(RemoteCall&& other) noexcept
      : PendingCall(std::move(other)),
        backend_(std::move(other.backend_)),
        limits_(other.limits_),
        nested_(std::move(other.nested_)),
        is_refused_(other.is_refused_) {}
  RemoteCall& operator=(RemoteCall&&) = delete;
  ~RemoteCall() {
    if (is_started_ && !is_done.load(std::memory_order_acquire)) backend_->drop(*this);
  }

  /// Internal, for co_await.
  bool poll(PollContext& context) {
    if (is_done.load(std::memory_order_acquire)) return true;
    if (!context.may_proceed()) return false;
    if (!is_started_) {
      if (!start(context)) return true;
    } else if (backend_->set_waker(*this, context)) {
      return poll_deadline(context);
    }
    if (!is_done.load(std::memory_order_acquire)) return poll_deadline(context);
    context.spend();
    return true;
  }
  Result<R> take() {
    nested_.end();
    if (error) return std::move(*error);
    if constexpr (std::is_void_v<R>) {
      return Result<R>();
    } else {
      Result<R> value = decode();
      large_owner.reset();
      arguments = detail::Buffer();
      return value;
    }
  }

  /// Spawns it on the current runtime.
  operator JoinHandle<R>() && { return std::move(*this).spawn_on(detail::current_core()); }  // NOLINT: for JoinSet
  JoinHandle<R> spawn_on(detail::RuntimeCore& core) && {
    nested_.begin();
    auto* cell = new detail::RemoteCell<R>(&core, std::move(*this));
    JoinHandle<R> handle(*cell);
    detail::spawn_task(core, *cell);
    return handle;
  }

  /// Internal: where call() writes the arguments.
  [[nodiscard]] std::byte* allocate_arguments(std::size_t size) { return arguments.allocate(size); }
  /// Internal: they cannot be sent; it ends with kInvalidArgument when it is awaited.
  void refuse_arguments() noexcept { is_refused_ = true; }

 private:
  /// How much later than the node this side gives up: the node's own answer says more.
  static constexpr std::chrono::milliseconds kGrace{20};

  Result<R> decode() const {
    try {
      std::tuple<R> value;
      if (const auto failure = detail::Arguments<R>::read(this->result(), value)) {
        return Error(ErrorKind::kInternal, detail::explain(target->name, *failure, "result"));
      }
      return Result<R>(std::get<0>(std::move(value)));
    } catch (...) {  // Of a user's type.
      return Error::from_exception(std::current_exception());
    }
  }

  /// False if it cannot be started, or it is too late already.
  bool start(PollContext& context) {
    if (is_refused_) [[unlikely]] {
      error = detail::arguments_too_deep(target->name);
      is_done.store(true, std::memory_order_relaxed);
      return false;
    }
    if (const std::optional<Duration> left = limits_.left()) {
      if (*left <= Duration::zero()) {
        error = Error(ErrorKind::kTimedOut, std::string(target->name) + ": no time was left when it was to start");
        is_done.store(true, std::memory_order_relaxed);
        return false;
      }
      deadline = detail::deadline_after(*left);
      timer_.emplace(deadline + kGrace);
    }
    if (backend_ == nullptr) backend_ = detail::current_backend();
    nested_.begin();
    is_started_ = true;
    backend_->start(*this, context.waker());
    return true;
  }
  bool poll_deadline(PollContext& context) {
    if (!timer_ || !timer_->poll(context)) return false;
    backend_->drop(*this);
    if (!is_done.exchange(true, std::memory_order_acq_rel)) {
      error = Error(ErrorKind::kTimedOut, std::string(target->name) + ": no answer before the deadline");
    }
    return true;
  }

  std::shared_ptr<detail::Backend> backend_;
  detail::CallLimits limits_;
  detail::NestedCall nested_;
  std::optional<Sleep> timer_;
  bool is_started_ = false;
  bool is_refused_ = false;
};

namespace detail {

/// call() and spawn() of the builders; `W` is the wire form of the function's parameters.
template <class Self, class W>
class CallVerbs : public PlacementVerbs<Self> {
 public:
  using Result = typename W::Result;

  /// The arguments as the function takes them, converted as in an ordinary call, and encoded before call() returns.
  /// Parameters at the end that are std::optional or have a default argument may be left out.
  template <class... A>
  [[nodiscard]] RemoteCall<Result> call(A&&... arguments) const {
    static_assert(check_temporaries<A...>());
    static_assert(sizeof...(A) <= W::kCount, "Too many arguments: the function takes fewer");
    static_assert(sizeof...(A) >= W::least(),
                  "Too few arguments: only parameters at the end may be left out, if they are std::optional or have a "
                  "default argument that a KAIDO_DECLARE or KAIDO_FUNCTION above has seen");
    RemoteCall<Result> call(static_cast<const Self&>(*this).target(), this->rules(), this->limits(), backend_);
    if (!W::encode([&call](std::size_t size) { return call.allocate_arguments(size); },
                   std::make_index_sequence<sizeof...(A)>{}, std::forward<A>(arguments)...)) {
      call.refuse_arguments();
    }
    return call;
  }
  /// call(), started now as a task: of the current runtime, or of that of the DistributedHandle the builder came from.
  template <class... A>
  [[nodiscard]] JoinHandle<Result> spawn(A&&... arguments) const {
    return call(std::forward<A>(arguments)...).spawn_on(runtime_ ? *runtime_ : current_core());
  }

 protected:
  CallVerbs(std::shared_ptr<Backend> backend, CoreRef runtime)
      : backend_(std::move(backend)), runtime_(std::move(runtime)) {}

 private:
  std::shared_ptr<Backend> backend_;
  CoreRef runtime_;
};

template <class S>
using WireOfStated = Wire<Signature<S*>, Signature<S*>::Parameters::kSize>;

}  // namespace detail

/// The builder of a call to F: rules first, then call() or spawn(), any number of times. Kept and reused, it is
/// prepared at the node once and costs nothing more; so is each distinct set of rules, at the price of a look-up.
///
/// Threading: like a container: several threads may call() one that nobody changes.
template <auto F, class D = detail::DeclaredOf<F>>
class Remote : public detail::CallVerbs<Remote<F, D>, detail::WireOf<F, D>> {
  using Verbs = detail::CallVerbs<Remote<F, D>, detail::WireOf<F, D>>;
  static_assert(detail::Signature<decltype(F)>::kChecked);

 public:
  /// On the current runtime's node.
  Remote() : Remote(nullptr) {}
  /// On the node of a given distributed runtime.
  explicit Remote(std::shared_ptr<detail::Backend> backend, detail::CoreRef runtime = detail::CoreRef())
      : Verbs(std::move(backend), std::move(runtime)) {}

 private:
  friend Verbs;
  [[nodiscard]] detail::CallTarget& target() const { return detail::kTargetOf<F, D>; }
};

/// The same for a function known by name and stated signature `S`, e.g. std::int64_t(std::string). Parameters are what
/// they are in the function's own declaration, or types with the same representation (docs/sdk/functions.md); one with
/// a default argument there is an std::optional here.
///
/// Making the first builder for a name hashes it and takes a lock; calling does neither. What was learnt of a name is
/// kept until the program ends.
template <class S>
class RemoteByName : public detail::CallVerbs<RemoteByName<S>, detail::WireOfStated<S>> {
  using W = detail::WireOfStated<S>;
  using Verbs = detail::CallVerbs<RemoteByName<S>, W>;
  static_assert(detail::Signature<S*>::kChecked);

 public:
  explicit RemoteByName(std::string_view name, std::shared_ptr<detail::Backend> backend = nullptr,
                        detail::CoreRef runtime = detail::CoreRef())
      : Verbs(std::move(backend), std::move(runtime)),
        target_(&detail::named_target(name, W::fingerprint(), W::schema())) {}

 private:
  friend Verbs;
  [[nodiscard]] detail::CallTarget& target() const { return *target_; }

  detail::CallTarget* target_;
};

template <auto F>
[[nodiscard]] Remote<F> remote() {
  return Remote<F>();
}
template <class S>
[[nodiscard]] RemoteByName<S> remote(std::string_view name) {
  static_assert(std::is_function_v<S>,
                "State the function's signature, e.g. remote<std::int64_t(std::string)>(\"count_words\")");
  return RemoteByName<S>(name);
}

/// The distributed spawn: F runs wherever there is room, under the default rules.
template <auto F, class... A>
[[nodiscard]] auto spawn_fn(A&&... arguments) {
  return Remote<F>().spawn(std::forward<A>(arguments)...);
}

/// A remote call as a task of its own.
template <class R>
JoinHandle<R> spawn(RemoteCall<R> call) {
  return std::move(call).spawn_on(detail::current_core());
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
