/// tokio's rt_handle.rs: handles, and the guards that make a runtime the current one.
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/notify.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

TEST(rt_handle, basic_enter) {
  Runtime first = current_thread();
  Runtime second = current_thread();
  const EnterGuard outer = first.enter();
  {
    const EnterGuard inner = second.enter();
    EXPECT_EQ(Handle::current().id(), second.handle().id());
  }
  EXPECT_EQ(Handle::current().id(), first.handle().id());
}

// Out of order: an error of exit(), the end of the process in a destructor.
void interleave(const Runtime& first, const Runtime& second) {
  std::optional<EnterGuard> outer;
  outer.emplace(first.handle().core());
  EnterGuard inner = second.enter();
  EXPECT_THROW(outer->exit(), std::logic_error);
  EXPECT_EQ(Handle::current().id(), second.handle().id());
}

void interleave_in_destructors(const Runtime& first, const Runtime& second) {
  std::optional<EnterGuard> outer;
  outer.emplace(first.handle().core());
  EnterGuard inner = second.enter();
  outer.reset();
}

TEST(rt_handle, interleave_enter_different_rt) {
  Runtime first = current_thread();
  Runtime second = current_thread();
  interleave(first, second);
  EXPECT_DEATH(interleave_in_destructors(first, second), "reverse order");
}

TEST(rt_handle, interleave_enter_same_rt) {
  Runtime runtime = current_thread();
  interleave(runtime, runtime);
  EXPECT_DEATH(interleave_in_destructors(runtime, runtime), "reverse order");
}

TEST(rt_handle, interleave_then_enter) {
  Runtime third = current_thread();
  {
    Runtime first = current_thread();
    Runtime second = current_thread();
    interleave(first, second);
  }
  EXPECT_FALSE(Handle::try_current().has_value());
  const EnterGuard guard = third.enter();
  EXPECT_EQ(Handle::current().id(), third.handle().id());
}

TEST(rt_handle, drop_tasks_with_reference_cycle) {
  struct Cycle {
    std::optional<JoinHandle<void>> first;
    std::optional<JoinHandle<void>> second;
  };
  auto cycle = std::make_shared<Cycle>();
  const std::weak_ptr<Cycle> witness = cycle;
  {
    Runtime rt = current_thread();
    const auto keep = [](std::shared_ptr<Cycle> kept) -> Task<void> {
      co_await pending();
      kept.reset();
    };
    cycle->first.emplace(rt.spawn(keep(cycle)));
    cycle->second.emplace(rt.spawn(keep(cycle)));
    cycle.reset();
    rt.block_on([]() -> Task<void> { co_await yield_now(); });
    EXPECT_FALSE(witness.expired());
  }
  EXPECT_TRUE(witness.expired());
}

TEST(rt_handle, runtime_id_is_same) {
  Runtime rt = current_thread();
  const Handle handle = rt.handle();
  EXPECT_EQ(handle.id(), rt.handle().id());
  EXPECT_EQ(Handle(handle).id(), handle.id());
}

TEST(rt_handle, runtime_ids_different) {
  Runtime first = current_thread();
  Runtime second = current_thread();
  EXPECT_NE(first.handle().id(), second.handle().id());
}

}  // namespace
}  // namespace kaido::parity
