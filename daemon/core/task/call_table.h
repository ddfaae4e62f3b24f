/// Which task each of a session's undelivered calls is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace kaido::daemon {

/// From the ids that an app gives its calls to the sequences of their tasks. The low bits of an id are its place: ids
/// that count up, or have the number of a reused slot in their low half as the SDK's do, are found without hashing and
/// without a search. The protocol allows any ids: those whose place is taken are kept in a tree beside, which no choice
/// of ids makes slow.
///
/// Threading: confined to its owner.
/// Cost: about 10 instructions an operation; grows to at most four times as many places as there were calls at once.
class CallTable {
 public:
  CallTable() : places_(kInitial) {}

  /// 0, which no task has, if there is no such call.
  [[nodiscard]] std::uint64_t find(std::uint64_t call_id) const {
    const Entry& entry = places_[place(call_id)];
    if (entry.sequence != 0 && entry.call_id == call_id) [[likely]]
      return entry.sequence;
    if (others_.empty()) [[likely]]
      return 0;
    const auto it = others_.find(call_id);
    return it == others_.end() ? 0 : it->second;
  }

  /// False, and nothing is changed, if there is such a call already.
  [[nodiscard]] bool insert(std::uint64_t call_id, std::uint64_t sequence) {
    Entry& entry = places_[place(call_id)];
    if (entry.sequence != 0 || !others_.empty()) [[unlikely]]
      return insert_beside(call_id, sequence);
    entry = {call_id, sequence};
    ++placed_;
    return true;
  }

  /// The call must be there.
  void erase(std::uint64_t call_id) {
    Entry& entry = places_[place(call_id)];
    if (entry.sequence == 0 || entry.call_id != call_id) [[unlikely]] {
      others_.erase(call_id);
      return;
    }
    entry.sequence = 0;
    --placed_;
  }

  [[nodiscard]] std::size_t size() const { return placed_ + others_.size(); }

  /// All its tasks, in no particular order.
  [[nodiscard]] std::vector<std::uint64_t> sequences() const {
    std::vector<std::uint64_t> all;
    all.reserve(size());
    for (const Entry& entry : places_) {
      if (entry.sequence != 0) all.push_back(entry.sequence);
    }
    for (const auto& [call_id, sequence] : others_) all.push_back(sequence);
    return all;
  }

 private:
  static constexpr std::size_t kInitial = 16;
  struct Entry {
    std::uint64_t call_id = 0;
    std::uint64_t sequence = 0;  // 0: the place is free
  };

  [[nodiscard]] std::size_t place(std::uint64_t call_id) const { return call_id & (places_.size() - 1); }

  [[gnu::noinline]] bool insert_beside(std::uint64_t call_id, std::uint64_t sequence) {
    if (find(call_id) != 0) return false;
    while (places_[place(call_id)].sequence != 0 && 2 * placed_ >= places_.size()) grow();
    Entry& entry = places_[place(call_id)];
    if (entry.sequence != 0) return others_.emplace(call_id, sequence).second;
    entry = {call_id, sequence};
    ++placed_;
    return true;
  }

  // Ids that had places of their own have them again: twice as many bits of them differ.
  void grow() {
    std::vector<Entry> old(places_.size() * 2);
    old.swap(places_);
    for (const Entry& entry : old) {
      if (entry.sequence != 0) places_[place(entry.call_id)] = entry;
    }
  }

  std::vector<Entry> places_;
  std::size_t placed_ = 0;
  std::map<std::uint64_t, std::uint64_t> others_;
};

}  // namespace kaido::daemon
