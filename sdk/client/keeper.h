/// Keeper: tells something that its runtime ends, so that connections close before the runtime's parts are gone.
#pragma once

#include <functional>
#include <utility>

#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/task.h>

namespace kaido::inline abi0::detail {

/// Calls a function when it is destroyed.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> function) : function_(std::move(function)) {}
  AtEnd(AtEnd&& other) noexcept : function_(std::exchange(other.function_, nullptr)) {}
  AtEnd& operator=(AtEnd&&) = delete;
  ~AtEnd() {
    if (function_) function_();
  }

 private:
  std::function<void()> function_;
};

class Never {
 public:
  bool poll(PollContext&) noexcept { return false; }
  void take() noexcept {}
};

/// A task that only waits: the runtime destroys it when it ends, and `at_end` with it. Abort it to be rid of it.
inline Task<void> keep(AtEnd at_end) {
  const AtEnd held(std::move(at_end));
  Never never;
  co_await never;
}

}  // namespace kaido::inline abi0::detail
