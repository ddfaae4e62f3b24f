/// CancellationToken: asks any number of tasks to stop, and lets them wait for being asked.
///
///     kaido::CancellationToken token;
///     kaido::spawn(serve(token.child_token()));       // the child can be cancelled alone, and is with its parent
///     ...
///     token.cancel();
///
///     kaido::Task<void> serve(kaido::CancellationToken token) {
///       while (auto next = co_await token.run_until_cancelled(accept())) handle(std::move(*next));
///     }
///
/// Asking is all it does: the tasks decide what to finish first. To stop a task where it is, use JoinHandle::abort().
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <kaido/detail/branch.h>
#include <kaido/detail/cancellation_node.h>
#include <kaido/sync/notify.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class DropGuard;
class DropGuardRef;
template <bool kIsOwned>
class Cancelled;
namespace detail {
template <typename B, bool kIsOwned>
class RunUntilCancelled;
}

/// A copy is the same token: equal, with the same hash, cancelled together.
///
/// Threading: thread-safe, except for assignment and destruction of one copy.
/// Lifetime: dropping tokens cancels nothing; when a token between two others goes, they stay connected. Needs no
/// runtime.
class CancellationToken {
 public:
  CancellationToken() : node_(detail::CancellationNode::create()) {}

  /// A token that is cancelled with this one, and alone without it. Cancelled from the start if this one is.
  [[nodiscard]] CancellationToken child_token() const { return CancellationToken(node_->create_child()); }

  /// Cancels this token, its children and theirs: all of them are when it returns, and whoever waits for them was
  /// woken.
  void cancel() const noexcept { node_->cancel(); }
  /// True also for all below a token for which it is.
  [[nodiscard]] bool is_cancelled() const noexcept { return node_->is_cancelled(); }

  /// Waits until the token is cancelled. The owned one keeps the token alive, the other must not outlive it. Takes
  /// nothing from the task's budget.
  ///
  /// Cancellation: safe.
  [[nodiscard]] Cancelled<false> cancelled() const noexcept;
  [[nodiscard]] Cancelled<true> cancelled_owned() const noexcept;

  /// Cancels the token when the guard goes, unless that is disarmed. The first takes a token (`std::move` yours into
  /// it, or a copy), the second refers to this one.
  [[nodiscard]] DropGuard drop_guard() const& noexcept;
  [[nodiscard]] DropGuard drop_guard() && noexcept;
  [[nodiscard]] DropGuardRef drop_guard_ref() const noexcept;

  /// Awaits `operand` (a Task, another awaitable, or a callable that makes one) and gives its value in an optional, or
  /// nothing if the token is cancelled before; then the operand is destroyed before the await returns. If the token is
  /// cancelled already, the operand is not started; if both happen at once, the operand wins. No value is
  /// std::monostate.
  ///
  /// Cancellation: as that of the operand.
  template <typename X>
  [[nodiscard]] auto run_until_cancelled(X&& operand) const {
    using B = typename detail::BranchOf<X>::type;
    return detail::RunUntilCancelled<B, false>(*this, detail::make_branch(std::forward<X>(operand)));
  }
  /// The same, keeping the token alive.
  template <typename X>
  [[nodiscard]] auto run_until_cancelled_owned(X&& operand) const {
    using B = typename detail::BranchOf<X>::type;
    return detail::RunUntilCancelled<B, true>(*this, detail::make_branch(std::forward<X>(operand)));
  }

  friend bool operator==(const CancellationToken&, const CancellationToken&) = default;

 private:
  template <bool>
  friend class Cancelled;
  friend struct std::hash<CancellationToken>;
  explicit CancellationToken(detail::CancellationNodeRef node) noexcept : node_(std::move(node)) {}

  detail::CancellationNodeRef node_;
};

/// What run_until_cancelled() is, written behind the operand as in tokio's FutureExt:
/// `co_await with_cancellation_token(accept(), token)`.
///
/// Cancellation: as that of the operand.
template <typename X>
[[nodiscard]] auto with_cancellation_token(X&& operand, const CancellationToken& token) {
  return token.run_until_cancelled(std::forward<X>(operand));
}
template <typename X>
[[nodiscard]] auto with_cancellation_token_owned(X&& operand, const CancellationToken& token) {
  return token.run_until_cancelled_owned(std::forward<X>(operand));
}

/// Awaiting it waits until the token is cancelled; see CancellationToken::cancelled().
///
/// Threading: confined to one task.
/// Lifetime: stays in place once it was awaited.
/// Cancellation: safe.
template <bool kIsOwned>
class [[nodiscard]] Cancelled {
 public:
  explicit Cancelled(const CancellationToken& token) noexcept
      : node_(held(token.node_)), notified_(token.node_->cancelled().notified()) {}
  Cancelled(Cancelled&& other) noexcept = default;
  Cancelled& operator=(Cancelled&&) = delete;

  [[nodiscard]] bool is_cancelled() const noexcept { return node_->is_cancelled(); }

  /// Internal, for co_await.
  bool poll(PollContext& context) noexcept { return node_->is_cancelled() || notified_.poll(context); }
  void take() noexcept {}

 private:
  using Held = std::conditional_t<kIsOwned, detail::CancellationNodeRef, const detail::CancellationNode*>;
  static Held held(const detail::CancellationNodeRef& node) noexcept {
    if constexpr (kIsOwned) {
      return node;
    } else {
      return node.get();
    }
  }

  Held node_;
  Notified notified_;
};

inline Cancelled<false> CancellationToken::cancelled() const noexcept { return Cancelled<false>(*this); }
inline Cancelled<true> CancellationToken::cancelled_owned() const noexcept { return Cancelled<true>(*this); }

/// Cancels its token when it goes.
class [[nodiscard]] DropGuard {
 public:
  explicit DropGuard(CancellationToken token) noexcept : token_(std::move(token)) {}
  DropGuard(DropGuard&& other) noexcept : token_(std::exchange(other.token_, std::nullopt)) {}
  DropGuard& operator=(DropGuard&&) = delete;
  ~DropGuard() {
    if (token_) token_->cancel();
  }
  /// Gives the token back, which is not cancelled.
  CancellationToken disarm() && noexcept { return *std::exchange(token_, std::nullopt); }

 private:
  std::optional<CancellationToken> token_;
};

/// Cancels a token that lives elsewhere, and longer, when it goes.
class [[nodiscard]] DropGuardRef {
 public:
  explicit DropGuardRef(const CancellationToken& token) noexcept : token_(&token) {}
  DropGuardRef(DropGuardRef&& other) noexcept : token_(std::exchange(other.token_, nullptr)) {}
  DropGuardRef& operator=(DropGuardRef&&) = delete;
  ~DropGuardRef() {
    if (token_ != nullptr) token_->cancel();
  }
  /// Gives the token back, which is not cancelled.
  const CancellationToken& disarm() && noexcept { return *std::exchange(token_, nullptr); }

 private:
  const CancellationToken* token_;
};

inline DropGuard CancellationToken::drop_guard() const& noexcept { return DropGuard(*this); }
inline DropGuard CancellationToken::drop_guard() && noexcept { return DropGuard(std::move(*this)); }
inline DropGuardRef CancellationToken::drop_guard_ref() const noexcept { return DropGuardRef(*this); }

namespace detail {

/// The awaitable of run_until_cancelled().
template <typename B, bool kIsOwned>
class [[nodiscard]] RunUntilCancelled {
 public:
  using Output = std::optional<Stored<typename B::Value>>;

  RunUntilCancelled(const CancellationToken& token, B branch) : cancelled_(token), branch_(std::move(branch)) {}

  bool poll(PollContext& context) {
    if (stage_ == Stage::kNew) stage_ = cancelled_.is_cancelled() ? Stage::kCancelled : Stage::kRunning;
    if (stage_ == Stage::kRunning) {
      if (branch_.poll(context)) return true;
      if (!cancelled_.poll(context)) return false;
      stage_ = Stage::kCancelled;
    }
    // What is done nevertheless counts.
    const Dropped dropped = branch_.poll_drop(context);
    if (dropped == Dropped::kOutcome) stage_ = Stage::kRunning;
    return dropped != Dropped::kWaits;
  }
  Dropped poll_drop(PollContext& context) noexcept
    requires B::kDrainable
  {
    const Dropped dropped = branch_.poll_drop(context);
    if (dropped == Dropped::kOutcome) stage_ = Stage::kRunning;
    return dropped;
  }
  Output take() {
    if (stage_ == Stage::kCancelled) return std::nullopt;
    Output output(std::in_place, take_stored(branch_));
    branch_.reset();
    return output;
  }

 private:
  enum class Stage : unsigned char { kNew, kRunning, kCancelled };

  Cancelled<kIsOwned> cancelled_;
  B branch_;
  Stage stage_ = Stage::kNew;
};

}  // namespace detail
}  // namespace kaido::inline abi0
#pragma GCC visibility pop

template <>
struct std::hash<kaido::CancellationToken> {
  std::size_t operator()(const kaido::CancellationToken& token) const noexcept {
    return std::hash<const void*>()(token.node_.get());
  }
};
