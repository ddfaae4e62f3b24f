/// tokio's task_abort.rs; its LocalSet's case is in the file beside this one.
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

Task<void> sleep_long() { co_await sleep(100s); }

TEST(task_abort, test_abort_without_panic_3157) {
  Runtime rt = multi_thread(1);
  rt.block_on([]() -> Task<void> {
    auto handle = spawn(sleep_long());
    co_await sleep(1ms);
    handle.abort();
    EXPECT_TRUE((co_await handle).error().is_cancelled());
  });
}

/// Tells when it is destroyed.
struct Witness {
  explicit Witness(std::atomic<bool>& gone) : is_gone(gone) {}
  ~Witness() { is_gone = true; }
  std::atomic<bool>& is_gone;
};

TEST(task_abort, test_abort_without_panic_3662) {
  Runtime rt = current_thread();
  std::atomic<bool> is_gone = false;
  rt.block_on([&is_gone]() -> Task<void> {
    auto handle = spawn([witness = std::make_unique<Witness>(is_gone)]() -> Task<void> { co_await pending(); });
    co_await yield_now();
    std::thread([abort = handle.abort_handle()] { abort.abort(); }).join();
    EXPECT_FALSE(is_gone);  // Only asked for: this thread destroys it.
    EXPECT_TRUE((co_await handle).error().is_cancelled());
    EXPECT_TRUE(is_gone);
  });
}

TEST(task_abort, test_abort_wakes_task_3964) {
  Runtime rt = current_thread();
  rt.block_on([]() -> Task<void> {
    auto alive = std::make_shared<int>(1);
    const std::weak_ptr<int> witness = alive;
    {
      auto handle = spawn([alive = std::move(alive)]() -> Task<void> { co_await pending(); });
      co_await yield_now();
      EXPECT_FALSE(witness.expired());
      handle.abort();
    }
    co_await yield_now();
    EXPECT_TRUE(witness.expired());
  });
}

Error error_of(Runtime& rt, JoinHandle<void> handle) { return rt.block_on(handle).error(); }

TEST(task_abort, test_join_error_display) {
  Runtime rt = current_thread();
  const auto panic = [](std::string text) -> Task<void> {
    throw std::runtime_error(text);
    co_return;
  };
  const auto panic_without_text = []() -> Task<void> {
    throw 1;
    co_return;
  };

  auto with_text = rt.spawn(panic("Format-able string"));
  std::string task = "task " + std::to_string(with_text.id().value());
  EXPECT_EQ(error_of(rt, std::move(with_text)).join_text(), task + " panicked with message \"Format-able string\"");

  auto without_text = rt.spawn(panic_without_text());
  task = "task " + std::to_string(without_text.id().value());
  EXPECT_EQ(error_of(rt, std::move(without_text)).join_text(), task + " panicked");

  auto cancelled = rt.spawn([]() -> Task<void> { co_await pending(); });
  task = "task " + std::to_string(cancelled.id().value());
  cancelled.abort();
  EXPECT_EQ(error_of(rt, std::move(cancelled)).join_text(), task + " was cancelled");
}

}  // namespace
}  // namespace kaido::parity
