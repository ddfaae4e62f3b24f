/// tokio's rt_unstable_eager_driver_handoff.rs.
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <span>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/net.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "tests/tokio/poll_fn.h"

namespace kaido::parity {
namespace {

TEST(rt_unstable_eager_driver_handoff, eager_driver_handoff_fixes_deadlock) {
  Runtime rt =
      RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().enable_eager_driver_handoff().build().value();
  const EnterGuard guard = rt.enter();
  auto first = net::UdpSocket::bind(net::Address::parse("127.0.0.1:0")).value();
  auto second = net::UdpSocket::bind(net::Address::parse("127.0.0.1:0")).value();
  auto sender = net::UdpSocket::bind(net::Address::parse("127.0.0.1:0")).value();
  const auto first_address = first.local_address();
  const auto second_address = second.local_address();

  // The worker that saw the first datagram blocks until the second has been seen: by the other one, in the driver.
  std::promise<void> second_seen;
  std::promise<void> blocks;
  std::atomic<int> waiting = 0;
  const auto receive = [&waiting](net::UdpSocket socket, auto then) -> Task<void> {
    std::array<std::byte, 4> buffer{};
    ++waiting;
    const auto received = co_await socket.recv_from(buffer);
    EXPECT_TRUE(received.has_value());
    then();
  };
  auto blocked = rt.spawn(receive(std::move(first), [&] {
    blocks.set_value();
    second_seen.get_future().wait();
  }));
  auto seen = rt.spawn(receive(std::move(second), [&] { second_seen.set_value(); }));
  while (waiting != 2 || rt.metrics().worker_park_count(0) == 0 || rt.metrics().worker_park_count(1) == 0) {
    std::this_thread::yield();
  }
  const std::array<std::byte, 1> datagram{};
  const auto send_to = [&](const net::Address& address) {
    rt.block_on([&]() -> Task<void> {
      const auto sent = co_await sender.send_to(datagram, address);
      EXPECT_TRUE(sent.has_value());
    });
  };
  send_to(first_address);
  blocks.get_future().wait();
  send_to(second_address);
  EXPECT_TRUE(rt.block_on(seen).has_value());
  EXPECT_TRUE(rt.block_on(blocked).has_value());
}

}  // namespace
}  // namespace kaido::parity
