// What tokio panics at throws here.
#include <stdexcept>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/local_set.h>
#include <kaido/spawn.h>
#include <kaido/task_local.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

constexpr LocalKey<int> kKey;

Task<void> nothing() { co_return; }

TEST(task_panic, block_in_place_panic_caller) {
  current_thread().block_on([]() -> Task<void> {
    EXPECT_THROW(block_in_place([] {}), std::logic_error);
    co_return;
  });
}

TEST(task_panic, local_set_spawn_local_panic_caller) {
  const LocalSet local;
  EXPECT_THROW(static_cast<void>(spawn_local(nothing())), std::logic_error);
}

TEST(task_panic, local_set_block_on_panic_caller) {
  const Runtime runtime = current_thread();
  runtime.handle().block_on([&]() -> Task<void> {
    const LocalSet local;
    EXPECT_THROW(local.block_on(runtime, nothing()), std::logic_error);
    co_return;
  });
}

TEST(task_panic, spawn_panic_caller) { EXPECT_THROW(static_cast<void>(spawn(nothing())), std::logic_error); }

TEST(task_panic, local_key_sync_scope_panic_caller) {
  kKey.sync_scope(1, [] {
    kKey.with([](int) { EXPECT_THROW(kKey.sync_scope(2, [] {}), std::logic_error); });
    EXPECT_EQ(kKey.get(), 1);
  });
}

TEST(task_panic, local_key_with_panic_caller) {
  EXPECT_THROW(kKey.with([](int) {}), std::logic_error);
}

TEST(task_panic, local_key_get_panic_caller) { EXPECT_THROW(static_cast<void>(kKey.get()), std::logic_error); }

}  // namespace
}  // namespace kaido::parity
