/// TemplateCache: which functions with which rules a session has prepared at its node, and under which number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <kaido/detail/pending_call.h>
#include <kaido/placement.h>

namespace kaido::inline abi0::detail {

/// Bounded: when it is full, the template that was used longest ago gives its place, and its number at the node, to the
/// new one; used again, it is prepared again. So a program may have any number of rules.
///
/// Threading: confined to its session.
class TemplateCache {
 public:
  struct Template {
    CallTarget* target = nullptr;
    std::shared_ptr<const PlacementRules> rules;  ///< null: the default ones

   private:
    friend class TemplateCache;
    std::uint64_t connection = 0;  ///< of which `number` is; numbers start again from 1 on each
    std::uint32_t number = 0;
    bool is_prepared = false;
    std::uint32_t newer = kNone;  ///< in the order of use
    std::uint32_t older = kNone;
  };

  explicit TemplateCache(std::size_t most);

  /// Null if it is not known. What is found is the most recently used.
  [[nodiscard]] Template* find(const PendingCall& call);
  /// Of a call that is not known. The reference lasts until the next add() or set_most().
  Template& add(const PendingCall& call);

  /// A new connection: nothing is prepared there.
  void start_connection();
  [[nodiscard]] bool is_prepared(const Template& entry) const {
    return entry.connection == connection_ && entry.is_prepared;
  }
  /// The one that the node knows it by, or that it is to be prepared under.
  [[nodiscard]] std::uint32_t number(const Template& entry) const {
    return entry.connection == connection_ ? entry.number : next_number_;
  }
  /// It was sent under number().
  void set_prepared(Template& entry);
  /// The node would not have it for now: it is prepared again at its next use.
  void set_refused(std::uint32_t number);

  /// What the node can hold.
  void set_most(std::size_t most);
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  /// What a template with rules stands for; they are those that it holds.
  struct Key {
    const CallTarget* target;
    const PlacementRules* rules;
    bool operator==(const Key& other) const noexcept { return target == other.target && *rules == *other.rules; }
  };
  struct HashOfKey {
    std::size_t operator()(const Key& key) const noexcept { return key.rules->hash() ^ key.target->id; }
  };

  [[nodiscard]] std::uint32_t find_index(const PendingCall& call) const;
  [[nodiscard]] std::uint32_t find_by_bytes(const PendingCall& call) const;
  void index_by_rules(std::uint32_t index);
  std::uint32_t take_place();
  void forget(std::uint32_t index);
  void use(std::uint32_t index);
  void link_newest(std::uint32_t index);
  void unlink(std::uint32_t index);

  const std::uint32_t id_;  ///< of this cache in this process, for PlacementRules::prepared
  std::size_t most_;
  std::size_t size_ = 0;
  std::uint64_t connection_ = 0;
  std::uint32_t next_number_ = 1;
  std::uint64_t evictions_ = 0;

  std::vector<Template> templates_;
  std::vector<std::uint32_t> free_;
  std::uint32_t newest_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::vector<std::uint32_t> by_number_;  ///< of this connection
  std::vector<std::uint32_t> defaults_;   ///< by CallTarget::dense_index()
  std::unordered_map<Key, std::uint32_t, HashOfKey> by_rules_;
};

}  // namespace kaido::inline abi0::detail
