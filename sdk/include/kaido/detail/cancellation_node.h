/// CancellationNode: what the copies of a CancellationToken share, and its place among parent and children.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

#include <kaido/detail/poll.h>
#include <kaido/sync/notify.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

class CancellationTree;
class CancellationNode;

/// An owning reference to a node.
class CancellationNodeRef {
 public:
  /// Takes over a reference.
  explicit CancellationNodeRef(CancellationNode* node) noexcept : node_(node) {}
  CancellationNodeRef(const CancellationNodeRef& other) noexcept;
  CancellationNodeRef(CancellationNodeRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  CancellationNodeRef& operator=(CancellationNodeRef other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~CancellationNodeRef();

  [[nodiscard]] CancellationNode* get() const noexcept { return node_; }
  CancellationNode* operator->() const noexcept { return node_; }
  friend bool operator==(const CancellationNodeRef&, const CancellationNodeRef&) = default;

 private:
  CancellationNode* node_;
};

/// One lock guards the links of a whole tree. A node refers to its parent and children without owning them: who drops
/// the last reference unlinks it, and gives its children to its parent. A cancelled node is in no tree any more.
///
/// Threading: thread-safe.
class CancellationNode {
 public:
  [[nodiscard]] static CancellationNodeRef create();
  [[nodiscard]] CancellationNodeRef create_child();
  CancellationNode(const CancellationNode&) = delete;
  CancellationNode& operator=(const CancellationNode&) = delete;

  void cancel() noexcept;
  [[nodiscard]] bool is_cancelled() const noexcept { return is_cancelled_.load(std::memory_order_acquire); }
  /// notify_waiters() is called on it when the node is cancelled, after is_cancelled() is true.
  [[nodiscard]] Notify& cancelled() noexcept { return cancelled_; }

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* node, std::size_t size) noexcept { free_frame(node, size); }

 private:
  friend class CancellationNodeRef;
  friend class CancellationTree;

  CancellationNode(CancellationTree& tree, bool is_cancelled) noexcept : tree_(tree), is_cancelled_(is_cancelled) {}
  ~CancellationNode() = default;
  void drop_ref() noexcept;

  std::atomic<std::size_t> references_ = 1;
  CancellationTree& tree_;
  std::atomic<bool> is_cancelled_;
  // Guarded by the tree's lock.
  CancellationNode* parent_ = nullptr;
  CancellationNode* first_child_ = nullptr;
  CancellationNode* previous_ = nullptr;  // Among the children of parent_.
  CancellationNode* next_ = nullptr;      // The same; once cancelled, in the list of those to wake.
  Notify cancelled_;
};

inline CancellationNodeRef::CancellationNodeRef(const CancellationNodeRef& other) noexcept : node_(other.node_) {
  if (node_ != nullptr) node_->references_.fetch_add(1, std::memory_order_relaxed);
}
inline CancellationNodeRef::~CancellationNodeRef() {
  if (node_ != nullptr) node_->drop_ref();
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
