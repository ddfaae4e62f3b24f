/// Context: what a running function knows about the call it serves.
///
///     std::int64_t render(kaido::Context& context, std::string scene) {
///       for (Tile& tile : tiles(scene)) {
///         if (context.is_cancelled()) return 0;       // nobody waits for the result any more
///         tile.render();
///       }
///       ...
///     }
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <kaido/detail/chrono.h>
#include <kaido/detail/waker.h>
#include <kaido/trace_context.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class Context;

namespace detail {

class CancelWait;

/// A call's side of Context: the facts, and the switch that cancels it.
///
/// Threading: cancel() and the queries may be called from any thread; the facts are set before the call starts.
/// Lifetime: outlives the function and every CancelWait.
class CallControl {
 public:
  using Clock = std::chrono::steady_clock;

  CallControl() = default;
  CallControl(const CallControl&) = delete;
  CallControl& operator=(const CallControl&) = delete;

  void cancel() noexcept;
  [[nodiscard]] bool is_cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }

  /// The task's identity as it came, and what makes text of it: most functions never ask.
  static constexpr std::size_t kMaxInfoBytes = 64;
  void set_task(std::span<const std::byte> info, std::string (*to_text)(std::span<const std::byte>)) noexcept;
  [[nodiscard]] std::string task_id() const;

  std::optional<Clock::time_point> deadline;
  std::string_view node = "local";  ///< lives as long as this
  std::uint32_t attempt = 1;
  TraceContext trace;

 private:
  friend class CancelWait;
  std::array<std::byte, kMaxInfoBytes> info_;
  std::size_t info_size_ = 0;
  std::string (*to_text_)(std::span<const std::byte>) = nullptr;
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;             ///< guards the list of waits
  CancelWait* waits_ = nullptr;  ///< intrusive: a wait unlinks itself
};

/// The awaitable of Context::cancelled().
class CancelWait {
 public:
  explicit CancelWait(CallControl& control) noexcept : control_(&control) {}
  CancelWait(CancelWait&& other) noexcept : control_(other.control_) {}  // only before the first poll
  CancelWait& operator=(CancelWait&&) = delete;
  ~CancelWait();

  bool poll(PollContext& context);
  void take() noexcept {}

 private:
  friend class CallControl;
  CallControl* control_;
  Waker waker_;
  bool linked_ = false;
  CancelWait* next_ = nullptr;
  CancelWait** link_ = nullptr;  ///< what points at this
};

}  // namespace detail

/// Taken by reference as the first parameter of a function, it is filled in by the library and is no argument.
///
/// Threading: the queries may be called from any thread while the function runs.
/// Lifetime: until the function has returned or its Task has ended.
/// Cancellation: cooperative for plain functions, which run until they look. A function that returns a Task is also
/// destroyed at its next suspension, with its destructors run, as if aborted.
class Context {
 public:
  explicit Context(detail::CallControl& control) noexcept : control_(control) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// The caller gave up, the node is draining, or the deadline has passed: the result will not be used.
  [[nodiscard]] bool is_cancelled() const noexcept;
  /// `co_await context.cancelled()` completes when the call is cancelled (not by the deadline's passing alone).
  [[nodiscard]] detail::CancelWait cancelled() const noexcept { return detail::CancelWait(control_); }

  /// By this process's clock; nothing if the call has no deadline.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept {
    return control_.deadline;
  }
  /// What is left until the deadline; negative once it has passed. To hand it on: `remote<g>().within(context)`, or
  /// `with_timeout(*context.remaining())`, which fails at once when nothing is left.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> remaining() const noexcept;

  /// The task's identity for logs, "<origin>-<epoch>-<sequence>"; the same for every attempt. "local" without a daemon.
  [[nodiscard]] std::string task_id() const { return control_.task_id(); }
  /// From 1; grows with every node that the task was given to, also one that handed it back unstarted. 1 means that no
  /// earlier attempt has had effects; more, that one may have.
  [[nodiscard]] std::uint32_t attempt() const noexcept { return control_.attempt; }
  /// All zero if the caller traces nothing.
  [[nodiscard]] const TraceContext& trace() const noexcept { return control_.trace; }
  /// The name of the node that this process serves; "local" without a daemon.
  [[nodiscard]] std::string_view node() const noexcept { return control_.node; }

 private:
  detail::CallControl& control_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
