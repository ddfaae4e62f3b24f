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

// Its owner may have had no memory to remove it.
TEST(TurnHooks, AnEntryOfOneThatIsGoneGoesWithTheNextChange) {
  TurnHooks hooks;
  const auto other = std::make_shared<Hook>();
  const auto entries = std::make_shared<int>();  // The deleter goes with the last weak reference.
  const auto add_and_end_one = [&] {
    hooks.add(std::shared_ptr<Hook>(new Hook, [entries](Hook* hook) { delete hook; }));
    EXPECT_EQ(entries.use_count(), 2);
  };
  add_and_end_one();
  hooks.add(other);
  EXPECT_EQ(entries.use_count(), 1);
  add_and_end_one();
  hooks.remove(*other);
  EXPECT_EQ(entries.use_count(), 1);
}

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
