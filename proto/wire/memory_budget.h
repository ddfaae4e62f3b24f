/// MemoryBudget: one bound on the bytes that a node keeps for others, and how much of it each of them may have.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace kaido::wire {

/// What the bytes are; each is a value of a metric's label.
enum class MemoryKind : std::uint8_t {
  kTemplates,  ///< prepared placements, of apps and of peers
  kNodeInfos,  ///< what other nodes say of themselves
  kArguments,  ///< kept for a retry, or while their call waits
  kAnswers,    ///< kept for a node that has no link at the moment
  kStreams,    ///< large payloads that are passed on: what came and was not taken
  kOutput,     ///< queued for a reader
  kInput,      ///< of frames that have not come whole
  kHistory,    ///< what is remembered of tasks that were handed back or lost, while they are tried again
};
inline constexpr std::size_t kMemoryKinds = 8;

/// The label: "templates", "node_infos", …
[[nodiscard]] std::string_view name(MemoryKind kind);

/// On whose behalf bytes are kept: a small number, since it is an index.
struct MemoryOwner {
  std::uint32_t value = 0;
};

/// What a node keeps for its apps and peers, in bytes. It has two pools, so that what is kept for long (templates and
/// node infos, a quarter) cannot take the place of what passes through (the rest), or the other way round.
///
/// An owner may hold half of what is left of a pool for all others ("dynamic thresholds", Choudhury and Hahne, 1998:
/// how switches share one memory between queues). So one alone gets a third, something is always left for whoever has
/// little, and shares adapt without anybody counting owners. Rejected: a fixed share, which is too little for one alone
/// or too much for many.
///
/// Threading: confined to the node strand.
/// Cost: about 15 instructions. Whoever comes by with a few bytes, and takes them along soon, is not charged at all.
class MemoryBudget {
 public:
  /// The part of the budget that templates and node infos share.
  static constexpr std::size_t kLastingDivisor = 4;
  /// An owner's part of what is left. Lower lets one alone have more, and many leave less.
  static constexpr std::size_t kShareDivisor = 2;
  /// The part of it that is left when memory is tight.
  static constexpr std::size_t kTightDivisor = 8;

  explicit MemoryBudget(std::size_t bytes_max)
      : pools_{Pool{bytes_max - bytes_max / kLastingDivisor}, Pool{bytes_max / kLastingDivisor}} {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  /// False, and counted, if the owner would have more than its share.
  [[nodiscard]] bool take(MemoryOwner owner, MemoryKind kind, std::size_t bytes) {
    if (!has_room(owner, kind, bytes)) [[unlikely]] {
      ++refused_[index(kind)];
      return false;
    }
    take_anyway(owner, kind, bytes);
    return true;
  }
  /// Beyond every share: for what is bounded elsewhere, and there already.
  void take_anyway(MemoryOwner owner, MemoryKind kind, std::size_t bytes) {
    Pool& pool = pool_of(kind);
    if (owner.value >= pool.by_owner.size()) [[unlikely]]
      pool.by_owner.resize(owner.value + std::size_t{1});
    pool.by_owner[owner.value] += bytes;
    pool.used += bytes;
    used_[index(kind)] += bytes;
  }
  void give_back(MemoryOwner owner, MemoryKind kind, std::size_t bytes);

  /// Whether take() would succeed; nothing is counted.
  [[nodiscard]] bool has_room(MemoryOwner owner, MemoryKind kind, std::size_t bytes) const {
    const Pool& pool = pools_[is_lasting(kind) ? 1 : 0];
    const std::size_t owned = owner.value < pool.by_owner.size() ? pool.by_owner[owner.value] : 0;
    return pool.used <= pool.max && bytes <= pool.max - pool.used &&
           owned + bytes <= (pool.max - pool.used - bytes) / kShareDivisor;
  }
  /// Little is left for what passes through: whoever does not take what is kept for him is borne for less long.
  [[nodiscard]] bool is_tight() const { return pools_[0].used >= pools_[0].max - pools_[0].max / kTightDivisor; }

  [[nodiscard]] std::size_t max() const { return pools_[0].max + pools_[1].max; }
  [[nodiscard]] std::size_t used() const { return pools_[0].used + pools_[1].used; }
  [[nodiscard]] std::size_t used(MemoryKind kind) const { return used_[index(kind)]; }
  [[nodiscard]] std::uint64_t refused(MemoryKind kind) const { return refused_[index(kind)]; }

 private:
  struct Pool {
    explicit Pool(std::size_t bytes_max) : max(bytes_max) {}
    const std::size_t max;
    std::size_t used = 0;
    std::vector<std::size_t> by_owner;
  };

  [[nodiscard]] static constexpr std::size_t index(MemoryKind kind) { return static_cast<std::size_t>(kind); }
  [[nodiscard]] static constexpr bool is_lasting(MemoryKind kind) {
    return kind == MemoryKind::kTemplates || kind == MemoryKind::kNodeInfos;
  }
  [[nodiscard]] Pool& pool_of(MemoryKind kind) { return pools_[is_lasting(kind) ? 1 : 0]; }

  std::array<Pool, 2> pools_;
  std::array<std::size_t, kMemoryKinds> used_{};
  std::array<std::uint64_t, kMemoryKinds> refused_{};
};

/// Bytes of one kind of one owner, given back when it goes. Without a budget it counts for nobody.
class Charge {
 public:
  Charge() = default;
  Charge(MemoryBudget* budget, MemoryOwner owner, MemoryKind kind) : budget_(budget), owner_(owner), kind_(kind) {}
  Charge(Charge&& other) noexcept
      : budget_(other.budget_), owner_(other.owner_), kind_(other.kind_), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(owner_, other.owner_);
    std::swap(kind_, other.kind_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() { set(0); }

  /// False, and nothing is changed, if the owner may not have so much more.
  [[nodiscard]] bool grow(std::size_t bytes) {
    if (budget_ != nullptr && !budget_->take(owner_, kind_, bytes)) return false;
    bytes_ += bytes;
    return true;
  }
  /// To exactly so many, whoever they are taken from.
  void set(std::size_t bytes) {
    if (budget_ != nullptr && bytes > bytes_) budget_->take_anyway(owner_, kind_, bytes - bytes_);
    if (budget_ != nullptr && bytes < bytes_) budget_->give_back(owner_, kind_, bytes_ - bytes);
    bytes_ = bytes;
  }
  /// Others pay for it from now on.
  void pass_to(MemoryOwner owner) {
    const std::size_t bytes = bytes_;
    set(0);
    owner_ = owner;
    set(bytes);
  }
  [[nodiscard]] bool has_room(std::size_t more) const {
    return budget_ == nullptr || budget_->has_room(owner_, kind_, more);
  }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] MemoryBudget* budget() const { return budget_; }
  [[nodiscard]] MemoryOwner owner() const { return owner_; }

 private:
  MemoryBudget* budget_ = nullptr;
  MemoryOwner owner_;
  MemoryKind kind_ = MemoryKind::kTemplates;
  std::size_t bytes_ = 0;
};

}  // namespace kaido::wire
