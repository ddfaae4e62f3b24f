// Hooks that come and go while every thread of a runtime calls them.
#include "sdk/runtime/turn_hooks.h"

#include <atomic>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

/// Counts the calls of itself, and finds its own memory as it left it.
class Hook final : public TurnHook {
 public:
  ~Hook() { mark_ = 0; }
  void end_of_turn() noexcept override { call(); }
  void serve_without_driver() noexcept override { call(); }

  std::atomic<int> calls{0};
  std::atomic<int> calls_in_vain{0};

 private:
  void call() noexcept {
    ++calls;
    if (mark_ != 42) ++calls_in_vain;
  }

  int mark_ = 42;
};

TEST(TurnHooks, AreCalledUntilTheyAreRemovedOrGone) {
  TurnHooks hooks;
  hooks.end_of_turn();
  const auto first = std::make_shared<Hook>();
  auto second = std::make_shared<Hook>();
  hooks.add(first);
  hooks.add(second);
  hooks.end_of_turn();
  hooks.serve_without_driver();
  EXPECT_EQ(first->calls, 2);
  EXPECT_EQ(second->calls, 2);
  second.reset();  // Without a word.
  hooks.end_of_turn();
  EXPECT_EQ(first->calls, 3);
  hooks.remove(*first);
  hooks.end_of_turn();
  EXPECT_EQ(first->calls, 3);
}

TEST(TurnHooks, MayComeAndGoWhileOtherThreadsCallThem) {
  constexpr int kHooks = 5000;
  TurnHooks hooks;
  std::atomic<bool> is_over = false;
  std::thread worker([&] {
    while (!is_over) hooks.end_of_turn();
  });
  std::thread standby([&] {
    while (!is_over) hooks.serve_without_driver();
  });
  for (int i = 0; i < kHooks; ++i) {
    const auto hook = std::make_shared<Hook>();
    hooks.add(hook);
    hooks.end_of_turn();
    hooks.remove(*hook);
    EXPECT_GE(hook->calls, 1);
    EXPECT_EQ(hook->calls_in_vain, 0);
  }
  is_over = true;
  worker.join();
  standby.join();
}

}  // namespace
}  // namespace kaido::detail
