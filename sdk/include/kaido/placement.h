/// Placement: the rules of a call, where it may run and what may be done when that fails.
///
/// Written as verbs on kaido::remote<f>(); the words and meaning are docs/sdk/tutorial.md's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kaido/context.h>
#include <kaido/detail/chrono.h>
#include <kaido/time.h>
#include <kaido/trace_context.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

/// The rules as data, prepared at the node once for all calls that share them. Default-constructed: anywhere, once, at
/// once.
struct PlacementData {
  PlacementData() = default;
  /// The copy has been prepared nowhere.
  PlacementData(const PlacementData& other)
      : node_name(other.node_name),
        tags(other.tags),
        wait(other.wait),
        max_attempts(other.max_attempts),
        priority(other.priority),
        is_idempotent(other.is_idempotent) {}
  PlacementData& operator=(const PlacementData&) = delete;

  std::string node_name;
  std::vector<std::pair<std::string, std::string>> tags;  ///< sorted by key, one value per key
  std::chrono::nanoseconds wait{0};
  std::uint32_t max_attempts = 1;
  std::int32_t priority = 0;
  bool is_idempotent = false;

  /// The connection that has prepared it last and its number there: a call site that keeps its builder looks up
  /// nothing.
  mutable std::atomic<std::uint64_t> prepared{0};

  void set_tag(std::string_view key, std::string_view value);
  [[nodiscard]] std::uint64_t hash() const noexcept;
  [[nodiscard]] bool same_rules(const PlacementData& other) const noexcept;
};

/// What each call brings of its own beside its rules: it may differ from call to call and is prepared nowhere.
struct CallLimits {
  Duration timeout = Duration::max();                                                             ///< max(): none
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();  ///< the same
  TraceContext trace;

  /// What is left for a call that starts now, not more than zero if it is too late; nothing if it may take any time.
  [[nodiscard]] std::optional<Duration> left() const noexcept;
};

}  // namespace detail

/// The verbs, for the builder that derives from it (`Self`). Each returns the builder, as it was given: an lvalue is
/// changed in place, a temporary is passed on.
///
///     kaido::remote<render>().with_tag("disk", "ssd").with_retries(2).call(scene)
template <class Self>
class PlacementVerbs {
 public:
  /// Only on the node of this name.
  Self& on_node(std::string_view name) & {
    return set([&](auto& rules) { rules.node_name = name; });
  }
  Self&& on_node(std::string_view name) && { return std::move(on_node(name)); }

  /// Only on nodes whose tag `key` has this value. Several tags must all match; a second value for a key replaces the
  /// first.
  Self& with_tag(std::string_view key, std::string_view value) & {
    return set([&](auto& rules) { rules.set_tag(key, value); });
  }
  Self&& with_tag(std::string_view key, std::string_view value) && { return std::move(with_tag(key, value)); }

  /// with_tag("zone", zone).
  Self& in_zone(std::string_view zone) & { return with_tag("zone", zone); }
  Self&& in_zone(std::string_view zone) && { return std::move(with_tag("zone", zone)); }

  /// Fails with kTimedOut if there is no result after this time, counted from the start of the wait for it; at once if
  /// it is zero or less. Costs nothing to change from call to call.
  template <class Rep, class Period>
  Self& with_timeout(std::chrono::duration<Rep, Period> timeout) & {
    limits_.timeout = detail::saturate(timeout);
    return self();
  }
  template <class Rep, class Period>
  Self&& with_timeout(std::chrono::duration<Rep, Period> timeout) && {
    return std::move(with_timeout(timeout));
  }

  /// For a call that a function makes while it serves another: it ends when that one must (its deadline, or
  /// with_timeout() if that is sooner), and belongs to the same trace.
  Self& within(const Context& context) & {
    limits_.deadline = context.deadline().value_or(std::chrono::steady_clock::time_point::max());
    limits_.trace = context.trace();
    return self();
  }
  Self&& within(const Context& context) && { return std::move(within(context)); }

  /// Started again, up to `retries` times and on another node where there is one, if its node is lost. The function may
  /// then run more than once; of the results only one is accepted.
  Self& with_retries(std::uint32_t retries) & {
    return set([&](auto& rules) { rules.max_attempts = retries == ~std::uint32_t{0} ? retries : retries + 1; });
  }
  Self&& with_retries(std::uint32_t retries) && { return std::move(with_retries(retries)); }

  /// Running the function twice does no harm: it is started again as often as needed (with_retries may bound it), also
  /// when the node that this program is connected to was restarted.
  Self& idempotent() & {
    return set([](auto& rules) { rules.is_idempotent = true; });
  }
  Self&& idempotent() && { return std::move(idempotent()); }

  /// Waits up to this long for a suitable node to appear, instead of failing at once with kUnschedulable, as it does if
  /// this is zero or less.
  template <class Rep, class Period>
  Self& with_wait(std::chrono::duration<Rep, Period> wait) & {
    const Duration limit = detail::saturate(wait);
    return set([limit](auto& rules) { rules.wait = limit > Duration::zero() ? limit : Duration::zero(); });
  }
  template <class Rep, class Period>
  Self&& with_wait(std::chrono::duration<Rep, Period> wait) && {
    return std::move(with_wait(wait));
  }

  /// Where a node has to queue, higher runs first; the default is 0.
  Self& with_priority(std::int32_t priority) & {
    return set([&](auto& rules) { rules.priority = priority; });
  }
  Self&& with_priority(std::int32_t priority) && { return std::move(with_priority(priority)); }

  /// Applies a function of yours that states several rules: `remote<f>().with(on_fast_disks).call(x)` where
  /// `void on_fast_disks(auto& call) { call.with_tag("disk", "ssd").idempotent(); }` or a generic lambda.
  template <class Policy>
  Self& with(Policy&& policy) & {
    std::forward<Policy>(policy)(self());
    return self();
  }
  template <class Policy>
  Self&& with(Policy&& policy) && {
    return std::move(with(std::forward<Policy>(policy)));
  }

 protected:
  PlacementVerbs() = default;

  /// Null for the default rules, so that the plainest call carries nothing.
  [[nodiscard]] const std::shared_ptr<detail::PlacementData>& rules() const { return rules_; }
  [[nodiscard]] const detail::CallLimits& limits() const { return limits_; }

 private:
  Self& self() { return static_cast<Self&>(*this); }

  /// Calls under way share the rules: what they have is never changed under them.
  template <class Change>
  Self& set(Change change) {
    if (rules_ == nullptr) {
      rules_ = std::make_shared<detail::PlacementData>();
    } else if (rules_.use_count() > 1 || rules_->prepared.load(std::memory_order_relaxed) != 0) {
      rules_ = std::make_shared<detail::PlacementData>(*rules_);
    }
    change(*rules_);
    return self();
  }

  std::shared_ptr<detail::PlacementData> rules_;
  detail::CallLimits limits_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
