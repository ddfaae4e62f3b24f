// Tasks with and without a name.
#include <stdexcept>

#include <gtest/gtest.h>

#include <kaido/local_set.h>
#include <kaido/task_builder.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

Task<std::string> task_name() { co_return std::string(task::name()); }
std::string blocking_name() { return std::string(task::name()); }

TEST(task_builder, spawn_with_name) {
  current_thread().block_on([]() -> Task<void> {
    auto result = co_await task::Builder().name("name").spawn(task_name());
    EXPECT_EQ(result.value(), "name");
  });
}

TEST(task_builder, spawn_blocking_with_name) {
  current_thread().block_on([]() -> Task<void> {
    auto result = co_await task::Builder().name("name").spawn_blocking(blocking_name);
    EXPECT_EQ(result.value(), "name");
  });
}

TEST(task_builder, spawn_local_with_name) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, []() -> Task<void> {
    auto result = co_await task::Builder().name("name").spawn_local(task_name());
    EXPECT_EQ(result.value(), "name");
  });
}

TEST(task_builder, spawn_without_name) {
  current_thread().block_on([]() -> Task<void> {
    auto result = co_await task::Builder().spawn(task_name());
    EXPECT_EQ(result.value(), "");
  });
}

TEST(task_builder, spawn_blocking_without_name) {
  current_thread().block_on([]() -> Task<void> {
    auto result = co_await task::Builder().spawn_blocking(blocking_name);
    EXPECT_EQ(result.value(), "");
  });
}

TEST(task_builder, spawn_local_without_name) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, []() -> Task<void> {
    auto result = co_await task::Builder().spawn_local(task_name());
    EXPECT_EQ(result.value(), "");
  });
}

TEST(task_builder, spawn_local_on_local_runtime) {
  local_runtime().block_on([]() -> Task<void> {
    auto result = co_await task::Builder().name("name").spawn_local(task_name());
    EXPECT_EQ(result.value(), "name");
  });
}

TEST(task_builder, spawn_local_panics_outside_local_set_or_local_runtime) {
  current_thread().block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(task::Builder().name("name").spawn_local(task_name())), std::logic_error);
    co_return;
  });
}

TEST(task_builder, spawn_local_panics_in_multi_thread_runtime) {
  multi_thread(1).block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(task::Builder().name("name").spawn_local(task_name())), std::logic_error);
    co_return;
  });
}

}  // namespace
}  // namespace kaido::parity
