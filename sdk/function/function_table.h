/// FunctionTable: the functions a process offers, in the order in which it offers them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <kaido/function.h>
#include <kaido/result.h>

namespace kaido::inline abi0::detail {

/// Which functions are to be offered: those that compute, those that return a Task.
struct KindsOffered {
  bool computing = true;
  bool tasks = true;
};

/// A worker's calls name a function by its index here, so that running one is a single look-up.
///
/// Threading: immutable after construction.
class FunctionTable {
 public:
  FunctionTable() = default;

  /// Everything registered in this program so far, sorted by name; of member functions those whose object is served.
  /// Errors: kInvalidArgument if two functions cannot be told apart (both are named), or one has a name that cannot be
  /// sent.
  [[nodiscard]] static Result<FunctionTable> collect(KindsOffered kinds = {});
  [[nodiscard]] static Result<FunctionTable> of(std::vector<const FunctionEntry*> entries);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] const FunctionEntry& operator[](std::size_t index) const { return *entries_[index]; }
  [[nodiscard]] auto begin() const { return entries_.begin(); }
  [[nodiscard]] auto end() const { return entries_.end(); }

  /// By id; null if this program does not have it. A search, for the path without a daemon.
  [[nodiscard]] const FunctionEntry* find(std::uint64_t id) const;

 private:
  std::vector<const FunctionEntry*> entries_;
};

}  // namespace kaido::inline abi0::detail
