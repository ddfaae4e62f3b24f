/// What the parity tests of tasks share: something that is never ready, and watchers of destructors.
#pragma once

#include <memory>
#include <utility>

#include <kaido/detail/waker.h>
#include <kaido/runtime.h>
#include <kaido/task.h>

#include "tests/tokio/support.h"

namespace kaido::parity {

/// Never ready.
struct Pending {
  bool poll(PollContext&) const noexcept { return false; }
  void take() const noexcept {}
};

/// Calls a function when it goes.
template <typename F>
class OnDrop {
 public:
  explicit OnDrop(F function) : function_(std::make_unique<F>(std::move(function))) {}
  OnDrop(OnDrop&&) noexcept = default;
  OnDrop& operator=(OnDrop&&) = delete;
  ~OnDrop() {
    if (function_) (*function_)();
  }

 private:
  std::unique_ptr<F> function_;
};

/// Dies with the frame that holds it: `token.lock()` tells whether that is there.
using Token = std::shared_ptr<int>;
using Watch = std::weak_ptr<int>;
[[nodiscard]] inline Token make_token() { return std::make_shared<int>(0); }

[[nodiscard]] inline Task<void> hold(Token) {
  Pending pending;
  co_await pending;
}

[[nodiscard]] inline Runtime local_runtime() {
  return RuntimeBuilder::new_current_thread().enable_all().build_local().value();
}

}  // namespace kaido::parity
