/// tokio's coop_budget.rs.
#include <array>
#include <span>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/net.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

/// Counts the polls of a task that wait.
class CountWaits {
 public:
  CountWaits(Task<void> task, int& waits) : poller_(std::move(task)), waits_(waits) {}
  bool poll(PollContext& context) {
    if (poller_.poll(context)) return true;
    ++waits_;
    return false;
  }
  void take() { poller_.take(); }

 private:
  detail::TaskPoller<void> poller_;
  int& waits_;
};

Task<void> send_and_receive_1024() {
  constexpr std::size_t kBytes = 5;
  auto receiver = net::UdpSocket::bind(net::Address::parse("127.0.0.1:0")).value();
  auto sender = net::UdpSocket::bind(net::Address::parse("127.0.0.1:0")).value();
  const auto to = receiver.local_address();
  std::array<std::byte, kBytes> buffer{};
  for (int i = 0; i < 1024; ++i) {
    const auto sent = co_await sender.send_to(buffer, to);
    EXPECT_EQ(sent.value(), kBytes);
    const auto received = co_await receiver.recv_from(buffer);
    EXPECT_EQ(received.value().first, kBytes);
  }
}

TEST(coop_budget, coop_budget_udp_send_recv) {
  // Twice 1024 operations, 128 of which make a budget.
  Runtime rt = current_thread();
  int waits = 0;
  rt.block_on([&waits]() -> Task<void> { co_await CountWaits(send_and_receive_1024(), waits); });
  EXPECT_EQ(rt.metrics().budget_forced_yield_count(), 16u);
  // The last unit is spent by the last operation: nobody waits for more.
  EXPECT_EQ(waits, 15);
}

TEST(coop_budget, test_has_budget_remaining) {
  Runtime rt = current_thread();
  rt.block_on([]() -> Task<void> {
    EXPECT_TRUE(has_budget_remaining());
    for (int i = 0; i < 127; ++i) co_await consume_budget();
    EXPECT_TRUE(has_budget_remaining());
    co_await consume_budget();
    EXPECT_FALSE(has_budget_remaining());
    co_await yield_now();
    EXPECT_TRUE(has_budget_remaining());
  });
  EXPECT_TRUE(has_budget_remaining());
}

}  // namespace
}  // namespace kaido::parity
