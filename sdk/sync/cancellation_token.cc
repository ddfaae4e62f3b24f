#include <kaido/sync/cancellation_token.h>

#include <mutex>

namespace kaido::inline abi0::detail {

/// The lock of a tree, for as long as one of its nodes lives.
class CancellationTree {
 public:
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* tree, std::size_t size) noexcept { free_frame(tree, size); }

  void add_node() noexcept { nodes_.fetch_add(1, std::memory_order_relaxed); }
  void drop_node() noexcept {
    if (nodes_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// False if the parent is cancelled.
  bool link(CancellationNode& parent, CancellationNode& child) noexcept {
    std::scoped_lock lock(mutex_);
    if (parent.is_cancelled()) return false;
    child.parent_ = &parent;
    push_child(parent, child);
    return true;
  }

  void unlink(CancellationNode& node) noexcept {
    std::scoped_lock lock(mutex_);
    CancellationNode* const parent = node.parent_;
    if (parent != nullptr) remove_child(node);
    while (CancellationNode* child = node.first_child_) {
      remove_child(*child);
      child->parent_ = parent;
      if (parent != nullptr) push_child(*parent, *child);
    }
  }

  /// Marks the node and all below it, and gives those that may have waiters, each with a reference, linked by next_.
  /// What is below a node is marked before it: who sees a token cancelled finds its children so.
  CancellationNode* cancel(CancellationNode& top) noexcept {
    std::scoped_lock lock(mutex_);
    if (top.is_cancelled()) return nullptr;
    CancellationNode* nodes = detach(top);
    CancellationNode** link = &nodes;
    while (CancellationNode* node = *link) {
      node->is_cancelled_.store(true, std::memory_order_release);
      // Without references nobody waits for it, and its last owner is about to unlink it.
      if (add_ref_unless_dropped(*node)) {
        link = &node->next_;
      } else {
        *link = node->next_;
      }
    }
    return nodes;
  }

 private:
  /// Takes the node and all below it apart; gives them linked by next_, children before parents.
  static CancellationNode* detach(CancellationNode& top) noexcept {
    if (top.parent_ != nullptr) remove_child(top);
    CancellationNode* taken = nullptr;
    CancellationNode* remaining = &top;
    top.next_ = nullptr;
    while (remaining != nullptr) {
      CancellationNode* node = std::exchange(remaining, remaining->next_);
      if (CancellationNode* child = std::exchange(node->first_child_, nullptr)) {
        CancellationNode* const first = child;
        while (child->next_ != nullptr) child = child->next_;
        child->next_ = std::exchange(remaining, first);
      }
      node->parent_ = nullptr;
      node->next_ = std::exchange(taken, node);
    }
    return taken;
  }
  static void push_child(CancellationNode& parent, CancellationNode& child) noexcept {
    child.previous_ = nullptr;
    child.next_ = parent.first_child_;
    if (child.next_ != nullptr) child.next_->previous_ = &child;
    parent.first_child_ = &child;
  }
  static void remove_child(CancellationNode& child) noexcept {
    (child.previous_ != nullptr ? child.previous_->next_ : child.parent_->first_child_) = child.next_;
    if (child.next_ != nullptr) child.next_->previous_ = child.previous_;
    child.parent_ = nullptr;
  }
  static bool add_ref_unless_dropped(CancellationNode& node) noexcept {
    std::size_t references = node.references_.load(std::memory_order_relaxed);
    while (references != 0) {
      if (node.references_.compare_exchange_weak(references, references + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  std::atomic<std::size_t> nodes_ = 0;
  std::mutex mutex_;
};

CancellationNodeRef CancellationNode::create() {
  auto* tree = new CancellationTree();
  tree->add_node();
  return CancellationNodeRef(new CancellationNode(*tree, false));
}

CancellationNodeRef CancellationNode::create_child() {
  auto* child = new CancellationNode(tree_, false);
  tree_.add_node();
  if (!tree_.link(*this, *child)) child->is_cancelled_.store(true, std::memory_order_release);
  return CancellationNodeRef(child);
}

void CancellationNode::cancel() noexcept {
  if (is_cancelled()) return;
  CancellationNode* node = tree_.cancel(*this);
  while (node != nullptr) {
    CancellationNode* const next = node->next_;
    node->cancelled_.notify_waiters();
    node->drop_ref();
    node = next;
  }
}

void CancellationNode::drop_ref() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  CancellationTree& tree = tree_;
  tree.unlink(*this);
  delete this;
  tree.drop_node();
}

}  // namespace kaido::inline abi0::detail
