// A LocalSet that is woken from other threads, also in the moment in which it ends. For the thread sanitizer, and the
// address sanitizer.
#include <kaido/local_set.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/sync/oneshot.h>

namespace kaido {
namespace {

TEST(LocalSetThreads, MayEndWhileAnotherThreadWakesIt) {
  constexpr int kRounds = 3000;
  Runtime runtime = RuntimeBuilder::new_current_thread().build().value();
  std::atomic<oneshot::Sender<int>*> to_send = nullptr;
  std::atomic<bool> done = false;
  std::thread waker([&] {
    while (!done) {
      if (auto* sender = to_send.exchange(nullptr)) {
        static_cast<void>(std::move(*sender).send(1));
        delete sender;
      }
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    auto [sender, receiver] = oneshot::channel<int>();
    {
      LocalSet local;
      auto handle = local.spawn_local([&receiver = receiver]() -> Task<int> { co_return (co_await receiver).value(); });
      to_send = new oneshot::Sender<int>(std::move(sender));
      runtime.block_on(local);
      EXPECT_EQ(runtime.block_on(handle).value(), 1);
    }
  }
  done = true;
  waker.join();
}

}  // namespace
}  // namespace kaido
