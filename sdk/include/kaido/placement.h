/// Placement: the rules of a call, where it may run and what may be done when that fails.
///
/// Written as verbs on kaido::remote<f>(); the words and meaning are docs/sdk/tutorial.md's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <kaido/context.h>
#include <kaido/detail/chrono.h>
#include <kaido/time.h>
#include <kaido/trace_context.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

/// The fields of kaido.v1.Placement that have a verb below, by their numbers there. A new verb is a line here and the
/// verb; if it takes a text, placement.cc says how to speak of it where it is wrong.
enum class PlacementField : std::uint32_t {
  kNodeName = 1,
  kTags = 2,
  kMaxAttempts = 4,
  kIdempotent = 5,
  kWait = 6,
  kPriority = 8,
};

/// The rules of a call as canonical bytes: an encoded kaido.v1.Placement whose fields stand in the order of their
/// numbers, the entries of a map in the order of their keys, and what has its default not at all. So equal rules are
/// equal bytes, in whatever order they were said; the node is sent these bytes, and they are what a session knows its
/// templates by. Default-constructed: anywhere, once, at once.
///
/// Threading: like a container, `prepared` and hash() included.
class PlacementRules {
 public:
  PlacementRules() = default;
  /// The copy has been prepared nowhere.
  PlacementRules(const PlacementRules& other) : bytes_(other.bytes_) {}
  PlacementRules& operator=(const PlacementRules&) = delete;

  /// Each replaces what was said of the field before, or of the key in it; the default of a field (zero, an empty text)
  /// takes it out.
  void set(PlacementField field, std::uint64_t number);
  void set(PlacementField field, std::string_view text);
  void set(PlacementField field, std::string_view key, std::string_view value);

  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  /// Of a field that is a number or a truth; 0 if nothing was said.
  [[nodiscard]] std::uint64_t number(PlacementField field) const noexcept;
  /// Of the bytes; computed once.
  [[nodiscard]] std::uint64_t hash() const noexcept;
  [[nodiscard]] bool operator==(const PlacementRules& other) const noexcept { return bytes_ == other.bytes_; }

  /// As a field of another message.
  void append_to(std::string& message, std::uint32_t number) const;

  /// Why a node could not take them, in words; nothing if it can.
  [[nodiscard]] std::optional<std::string> problem() const;

  /// A connection has looked at them: they are changed no more.
  [[nodiscard]] bool is_in_use() const noexcept {
    return prepared.load(std::memory_order_relaxed) != 0 || hash_.load(std::memory_order_relaxed) != 0;
  }

  /// The connection that has prepared it last and its number there: a call site that keeps its builder looks up
  /// nothing.
  mutable std::atomic<std::uint64_t> prepared{0};

 private:
  std::byte* replace(PlacementField field, const std::string_view* key, std::size_t size);

  std::string bytes_;
  mutable std::atomic<std::uint64_t> hash_{0};  ///< 0: not computed yet
};

/// For a builder: its own rules, to be changed. Calls under way share the rules, and what they have is never changed
/// under them.
[[nodiscard]] PlacementRules& own_rules(std::shared_ptr<PlacementRules>& rules);

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
  using Field = detail::PlacementField;

 public:
  /// Only on the node of this name, or of this id (32 hexadecimal digits, as `kaidoctl nodes -o json` has it).
  Self& on_node(std::string_view name) & { return rule(Field::kNodeName, name); }
  Self&& on_node(std::string_view name) && { return std::move(on_node(name)); }

  /// Only on nodes whose tag `key` has this value. Several tags must all match; a second value for a key replaces the
  /// first.
  Self& with_tag(std::string_view key, std::string_view value) & { return rule(Field::kTags, key, value); }
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
    // The first start counts, and one start is the default.
    const std::uint32_t starts = retries == ~std::uint32_t{0} ? retries : retries + 1;
    return rule(Field::kMaxAttempts, starts == 1 ? 0 : starts);
  }
  Self&& with_retries(std::uint32_t retries) && { return std::move(with_retries(retries)); }

  /// Running the function twice does no harm: it is started again as often as needed (with_retries may bound it), also
  /// when the node that this program is connected to was restarted.
  Self& idempotent() & { return rule(Field::kIdempotent, true); }
  Self&& idempotent() && { return std::move(idempotent()); }

  /// Waits up to this long for a suitable node to appear, instead of failing at once with kUnschedulable, as it does if
  /// this is zero or less.
  template <class Rep, class Period>
  Self& with_wait(std::chrono::duration<Rep, Period> wait) & {
    const Duration limit = detail::saturate(wait);
    return rule(Field::kWait, limit > Duration::zero() ? static_cast<std::uint64_t>(limit.count()) : 0);
  }
  template <class Rep, class Period>
  Self&& with_wait(std::chrono::duration<Rep, Period> wait) && {
    return std::move(with_wait(wait));
  }

  /// Where a node has to queue, higher runs first; the default is 0.
  Self& with_priority(std::int32_t priority) & {
    return rule(Field::kPriority, static_cast<std::uint64_t>(priority));  // As protobuf has it: with all its sign bits.
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
  [[nodiscard]] const std::shared_ptr<detail::PlacementRules>& rules() const { return rules_; }
  [[nodiscard]] const detail::CallLimits& limits() const { return limits_; }

 private:
  Self& self() { return static_cast<Self&>(*this); }

  template <class... Value>
  Self& rule(Field field, Value... value) {
    detail::own_rules(rules_).set(field, value...);
    if (rules_->bytes().empty()) rules_ = nullptr;
    return self();
  }

  std::shared_ptr<detail::PlacementRules> rules_;
  detail::CallLimits limits_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
