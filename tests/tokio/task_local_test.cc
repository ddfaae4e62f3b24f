// Task-local values.
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>
#include <kaido/task_local.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

constexpr LocalKey<std::uint32_t> kNumber;
constexpr LocalKey<bool> kFlag;

// Reports what its destructor sees of the key.
class ReadOnDrop {
 public:
  explicit ReadOnDrop(std::optional<std::uint32_t>* seen) noexcept : seen_(seen) {}
  ReadOnDrop(ReadOnDrop&& other) noexcept : seen_(std::exchange(other.seen_, nullptr)) {}
  ReadOnDrop& operator=(ReadOnDrop&&) = delete;
  ~ReadOnDrop() {
    if (seen_ != nullptr) *seen_ = kNumber.try_get();
  }

 private:
  std::optional<std::uint32_t>* seen_;
};

TEST(task_local, local) {
  multi_thread(2).block_on([]() -> Task<void> {
    auto first = spawn(kNumber.scope(1, []() -> Task<void> {
      EXPECT_EQ(kNumber.get(), 1u);
      co_await yield_now();
      EXPECT_EQ(kNumber.get(), 1u);
    }));
    auto second = spawn(kNumber.scope(2, []() -> Task<void> {
      EXPECT_EQ(kNumber.get(), 2u);
      kFlag.sync_scope(true, [] {
        EXPECT_TRUE(kFlag.get());
        EXPECT_EQ(kNumber.get(), 2u);
      });
      co_await kNumber.scope(4, []() -> Task<void> {
        EXPECT_EQ(kNumber.get(), 4u);
        co_await yield_now();
        EXPECT_EQ(kNumber.get(), 4u);
      });
      EXPECT_EQ(kNumber.get(), 2u);
    }));
    auto third = spawn(kNumber.scope(3, []() -> Task<void> {
      auto inherited = co_await spawn([]() -> Task<bool> { co_return kNumber.try_get().has_value(); });
      EXPECT_FALSE(inherited.value());
      EXPECT_EQ(kNumber.get(), 3u);
    }));
    EXPECT_TRUE((co_await first).ok());
    EXPECT_TRUE((co_await second).ok());
    EXPECT_TRUE((co_await third).ok());
  });
}

TEST(task_local, task_local_available_on_abort) {
  current_thread().block_on([]() -> Task<void> {
    std::optional<std::uint32_t> seen;
    auto waits_for_ever = [](ReadOnDrop) -> Task<void> {
      Pending pending;
      co_await pending;
    };
    auto handle = spawn(kNumber.scope(42, waits_for_ever(ReadOnDrop(&seen))));
    co_await yield_now();
    handle.abort();
    auto result = co_await handle;
    EXPECT_TRUE(result.error().is_cancelled());
    EXPECT_EQ(seen, 42u);
  });
}

TEST(task_local, task_local_available_on_completion_drop) {
  current_thread().block_on([]() -> Task<void> {
    std::optional<std::uint32_t> seen;
    auto handle = spawn(kNumber.scope(42, [](ReadOnDrop) -> Task<void> { co_return; }(ReadOnDrop(&seen))));
    auto result = co_await handle;
    EXPECT_TRUE(result.ok());
    EXPECT_EQ(seen, 42u);
  });
}

TEST(task_local, take_value) {
  auto scope = kNumber.scope(1, []() -> Task<void> { co_return; });
  EXPECT_EQ(scope.take_value(), 1u);
  EXPECT_EQ(scope.take_value(), std::nullopt);
}

TEST(task_local, poll_after_take_value_should_fail) {
  auto scope = kNumber.scope(1, []() -> Task<bool> { co_return kNumber.try_get().has_value(); });
  static_cast<void>(scope.take_value());
  current_thread().block_on([&]() -> Task<void> {
    const bool is_set = co_await scope;
    EXPECT_FALSE(is_set);
  });
}

TEST(task_local, get_value) {
  constexpr LocalKey<std::uint32_t> other;
  current_thread().block_on([&]() -> Task<void> {
    co_await kNumber.scope(1, [&]() -> Task<void> {
      EXPECT_EQ(kNumber.get(), 1u);
      EXPECT_EQ(kNumber.try_get(), 1u);
      EXPECT_EQ(other.try_get(), std::nullopt);
      co_return;
    });
    EXPECT_EQ(kNumber.try_get(), std::nullopt);
    // Inside, after the value was taken.
    auto taken = kNumber.scope(2, []() -> Task<void> {
      EXPECT_EQ(kNumber.get(), 2u);
      co_await yield_now();
      EXPECT_THROW(static_cast<void>(kNumber.get()), std::logic_error);
      EXPECT_EQ(kNumber.try_get(), std::nullopt);
    });
    auto handle = spawn([&]() -> Task<void> {
      EXPECT_EQ(taken.take_value(), 2u);
      co_return;
    });
    co_await taken;
    EXPECT_TRUE((co_await handle).ok());
  });
}

}  // namespace
}  // namespace kaido::parity
