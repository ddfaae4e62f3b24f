/// The functions that a node offers: in order, and cheap to copy and to change.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <vector>

#include "daemon/core/view/function_info.h"

namespace kaido::daemon {

/// Functions by id, each once. They lie in chunks that copies share until one of them changes: a snapshot of a node
/// that offers thousands costs a few pointers, and so does the next one, in which one function is new.
///
/// Threading: as of std::vector; copies share nothing that changes.
/// Cost: a copy, n / 64 pointers; a change, O(log n) and at most one chunk of kChunkMax pointers; bytes, O(1).
class FunctionList {
  using Chunk = std::vector<std::shared_ptr<const FunctionInfo>>;

 public:
  /// Larger chunks make a change cost more, smaller ones a copy.
  static constexpr std::size_t kChunkMax = 128;
  /// One that is smaller is joined with the next, where they fit in one.
  static constexpr std::size_t kChunkMin = 32;

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = FunctionInfo;
    using difference_type = std::ptrdiff_t;
    using pointer = const FunctionInfo*;
    using reference = const FunctionInfo&;

    Iterator() = default;
    reference operator*() const { return *(**chunk_)[at_]; }
    pointer operator->() const { return (**chunk_)[at_].get(); }
    Iterator& operator++() {
      if (++at_ == (*chunk_)->size()) skip_chunk();
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    friend class FunctionList;
    explicit Iterator(const std::shared_ptr<Chunk>* chunk) : chunk_(chunk) {}
    void skip_chunk() {
      ++chunk_;
      at_ = 0;
    }
    /// Both begin the same chunk: what is in it need not be compared.
    [[nodiscard]] bool shares_chunk(const Iterator& other) const {
      return at_ == 0 && other.at_ == 0 && *chunk_ == *other.chunk_;
    }

    const std::shared_ptr<Chunk>* chunk_ = nullptr;
    std::size_t at_ = 0;
  };

  FunctionList() = default;
  /// In any order; of two with one id, the last.
  FunctionList(std::vector<FunctionInfo> functions);                                           // NOLINT
  FunctionList(std::initializer_list<FunctionInfo> list) : FunctionList(std::vector(list)) {}  // NOLINT

  /// New, or instead of the one with its id.
  void put(FunctionInfo function);
  /// False if there is none.
  bool erase(base::FunctionId id);

  [[nodiscard]] const FunctionInfo* find(base::FunctionId id) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  /// The sum of its functions' text_bytes().
  [[nodiscard]] std::size_t text_bytes() const { return text_bytes_; }
  [[nodiscard]] Iterator begin() const { return Iterator(chunks_.data()); }
  [[nodiscard]] Iterator end() const { return Iterator(chunks_.data() + chunks_.size()); }

  /// What is new or different in `to`, and what is not there any more. What both share is not looked at.
  void compare(const FunctionList& to, std::vector<FunctionInfo>& changed, std::vector<base::FunctionId>& gone) const;

  bool operator==(const FunctionList& other) const;

 private:
  /// The index of the chunk in which the id is, or would be put; there is one.
  [[nodiscard]] std::size_t chunk_of(base::FunctionId id) const;
  [[nodiscard]] Chunk& own(std::size_t chunk);
  void join_if_small(std::size_t chunk);

  std::vector<std::shared_ptr<Chunk>> chunks_;  ///< none is empty; one that others hold too is not changed
  std::size_t size_ = 0;
  std::size_t text_bytes_ = 0;
};

}  // namespace kaido::daemon
