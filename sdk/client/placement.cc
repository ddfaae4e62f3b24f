#include <kaido/placement.h>

#include <algorithm>

#include <kaido/codec.h>
#include <kaido/detail/pending_call.h>

namespace kaido::inline abi0::detail {

void PlacementData::set_tag(std::string_view key, std::string_view value) {
  const auto at =
      std::lower_bound(tags.begin(), tags.end(), key, [](const auto& tag, auto wanted) { return tag.first < wanted; });
  if (at != tags.end() && at->first == key) {
    at->second = value;
  } else {
    tags.emplace(at, std::string(key), std::string(value));
  }
}

std::uint64_t PlacementData::hash() const noexcept {
  Hash64 hash;
  const auto put = [&hash](auto number) { hash.put({reinterpret_cast<const char*>(&number), sizeof number}); };
  put(wait.count());
  put(max_attempts);
  put(priority);
  put(is_idempotent);
  hash.put(node_name);
  for (const auto& [key, value] : tags) {
    put(key.size());
    hash.put(key);
    hash.put(value);
  }
  return hash.value();
}

bool PlacementData::same_rules(const PlacementData& other) const noexcept {
  return wait == other.wait && max_attempts == other.max_attempts && priority == other.priority &&
         is_idempotent == other.is_idempotent && node_name == other.node_name && tags == other.tags;
}

std::optional<Duration> CallLimits::left() const noexcept {
  std::optional<Duration> left;
  if (timeout != Duration::max()) left = timeout;
  if (deadline != std::chrono::steady_clock::time_point::max()) {
    const Duration until = deadline - std::chrono::steady_clock::now();
    left = left ? std::min(*left, until) : until;
  }
  return left;
}

std::uint32_t CallTarget::assign_index() {
  static std::atomic<std::uint32_t> last{0};
  std::uint32_t expected = 0;
  const std::uint32_t fresh = last.fetch_add(1, std::memory_order_relaxed) + 1;
  // Another thread may have been first; its number stays, ours is never used.
  return index.compare_exchange_strong(expected, fresh, std::memory_order_relaxed) ? fresh : expected;
}

}  // namespace kaido::inline abi0::detail
