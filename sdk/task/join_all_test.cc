// join_all() of groups whose tasks give nothing: they are waited for, and the first failure is thrown.
#include <kaido/join_queue.h>
#include <kaido/join_set.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/time.h>

namespace kaido {
namespace {

using namespace std::chrono_literals;

template <typename Group>
class JoinAllOfNothing : public ::testing::Test {
 protected:
  Runtime runtime_ = RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
};
using Groups = ::testing::Types<JoinSet<void>, JoinQueue<void>>;
TYPED_TEST_SUITE(JoinAllOfNothing, Groups);

Task<void> count(int* counter, std::chrono::milliseconds delay) {
  co_await sleep(delay);
  ++*counter;
}

Task<void> fail() {
  throw std::runtime_error("no");
  co_return;
}

Task<void> sleep_long(std::shared_ptr<int>) { co_await sleep(1h); }

TYPED_TEST(JoinAllOfNothing, WaitsForEachTask) {
  int counter = 0;
  this->runtime_.block_on([&]() -> Task<void> {
    TypeParam group;
    for (int i = 3; i > 0; --i) group.spawn(count(&counter, i * 10ms));
    co_await group.join_all();
    EXPECT_EQ(counter, 3);
    co_await TypeParam().join_all();
  });
}

TYPED_TEST(JoinAllOfNothing, ThrowsTheFirstFailureAndAbortsTheRest) {
  auto alive = std::make_shared<int>(0);
  this->runtime_.block_on([&]() -> Task<void> {
    TypeParam group;
    group.spawn(fail());
    group.spawn(sleep_long(alive));
    std::string message;
    try {
      co_await group.join_all();
    } catch (const ErrorException& failure) {
      message = failure.error().message();
    }
    EXPECT_EQ(message, "no");
    co_await yield_now();
  });
  EXPECT_EQ(alive.use_count(), 1);
}

}  // namespace
}  // namespace kaido
