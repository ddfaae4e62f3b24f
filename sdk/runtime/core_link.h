/// CoreLink: how something refers to a runtime that it must not keep alive.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include <kaido/handle.h>

namespace boost::asio {
class execution_context;
}

namespace kaido::inline abi0::detail {

/// An executor lies in the frames of Asio's coroutines, which lie in the handlers that wait in the runtime's
/// io_context: with a reference of its own none of them would ever go.
///
/// Threading: thread-safe.
class CoreLink {
 public:
  CoreLink(RuntimeCore& core, boost::asio::execution_context& context) noexcept : core_(&core), context_(&context) {}
  CoreLink(const CoreLink&) = delete;
  CoreLink& operator=(const CoreLink&) = delete;

  /// The runtime; null once its last reference is gone.
  [[nodiscard]] CoreRef lock() noexcept;
  /// The runtime's io_context; after its end one that nobody runs.
  [[nodiscard]] boost::asio::execution_context& context() const noexcept;

  /// By the runtime, as it ends: first the one, before its members go, then the other.
  void forget_core() noexcept {
    const std::scoped_lock lock(mutex_);
    core_ = nullptr;
  }
  void forget_context() noexcept { context_.store(nullptr, std::memory_order_release); }

 private:
  std::mutex mutex_;
  RuntimeCore* core_;  // Under mutex_.
  std::atomic<boost::asio::execution_context*> context_;
};

/// The runtime's end of it; declared before what the context belongs to.
class CoreLinkEnd {
 public:
  CoreLinkEnd() noexcept = default;
  CoreLinkEnd(const CoreLinkEnd&) = delete;
  CoreLinkEnd& operator=(const CoreLinkEnd&) = delete;
  ~CoreLinkEnd() { link_->forget_context(); }

  void make(RuntimeCore& core, boost::asio::execution_context& context) {
    link_ = std::make_shared<CoreLink>(core, context);
  }
  [[nodiscard]] const std::shared_ptr<CoreLink>& get() const noexcept { return link_; }

 private:
  std::shared_ptr<CoreLink> link_;
};

}  // namespace kaido::inline abi0::detail
