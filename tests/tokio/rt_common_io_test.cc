/// tokio's rt_common.rs, on each flavour: sockets driven by the runtime.
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/local_set.h>
#include <kaido/net.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

class rt_common : public FlavourTest {};

net::Address loopback() { return net::Address::parse("127.0.0.1:0"); }
std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

Task<void> accept_one(net::Listener listener, oneshot::Sender<int> accepted) {
  const auto stream = co_await listener.accept();
  EXPECT_TRUE(stream.has_value());
  send(accepted, 1);
}

Task<void> accept_in_task() {
  auto listener = net::Listener::bind(loopback()).value();
  const auto address = listener.local_address();
  auto [sender, accepted] = oneshot::channel<int>();
  start(accept_one(std::move(listener), std::move(sender)));
  const auto stream = co_await net::Stream::connect(address);
  EXPECT_TRUE(stream.has_value());
  EXPECT_TRUE((co_await accepted).has_value());
}

Task<void> serve_hello(net::Listener listener) {
  auto stream = (co_await listener.accept()).value();
  EXPECT_TRUE((co_await stream.write_all(bytes("hello"))).has_value());
}

Task<void> read_hello(net::Address address) {
  auto stream = (co_await net::Stream::connect(address)).value();
  std::array<std::byte, 5> text{};
  EXPECT_TRUE((co_await stream.read_exact(text)).has_value());
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(text.data()), text.size()), "hello");
  std::array<std::byte, 1> more{};
  EXPECT_EQ((co_await stream.read(more)).value(), 0u);
}

Task<void> client_server() {
  auto listener = net::Listener::bind(loopback()).value();
  const auto address = listener.local_address();
  auto server = spawn(serve_hello(std::move(listener)));
  co_await read_hello(address);
  EXPECT_TRUE((co_await server).has_value());
}

TEST_P(rt_common, block_on_socket) {
  Runtime rt = runtime();
  rt.block_on(accept_in_task());
}

TEST_P(rt_common, client_server_block_on) {
  Runtime rt = runtime();
  rt.block_on(client_server());
}

TEST_P(rt_common, socket_from_blocking) {
  Runtime rt = runtime();
  rt.block_on([]() -> Task<void> {
    auto listener = net::Listener::bind(loopback()).value();
    auto client = spawn_blocking([address = listener.local_address(), handle = Handle::current()] {
      return handle.block_on([&address]() -> Task<bool> {
        const auto stream = co_await net::Stream::connect(address);
        co_return stream.has_value();
      });
    });
    EXPECT_TRUE((co_await listener.accept()).has_value());
    EXPECT_TRUE((co_await client).value());
  });
}

Task<void> wake_for_ever(const std::atomic<bool>& stop) {
  while (!stop) co_await WakeOnce();
}

TEST_P(rt_common, io_driver_called_when_under_load) {
  std::atomic<bool> stop = false;
  Runtime rt = runtime();
  for (int i = 0; i < 100; ++i) start_on(rt, wake_for_ever(stop));
  rt.block_on(client_server());
  stop = true;
}

Task<void> yield_once() { co_await yield_now(); }

Task<void> use_up_budget() {
  do {
    co_await consume_budget();
  } while (has_budget_remaining());
  co_await consume_budget();  // Waits its turn.
}

/// A datagram is on its way, and a task waits for it: true once that has it. Nothing sleeps meanwhile, so that only
/// `wait_a_turn` leaves time to look at sockets.
Task<bool> sees_a_datagram(Task<void> (*wait_a_turn)(), int turns_max) {
  auto receiver = net::UdpSocket::bind(loopback()).value();
  auto sender = net::UdpSocket::bind(loopback()).value();
  const auto to = receiver.local_address();
  auto seen = std::make_shared<std::atomic<bool>>(false);
  auto waiting = spawn([receiver = std::move(receiver), seen]() -> Task<void> {
    std::array<std::byte, 4> buffer{};
    EXPECT_TRUE((co_await receiver.recv_from(buffer)).has_value());
    *seen = true;
  });
  co_await yield_now();
  EXPECT_TRUE((co_await sender.send_to(bytes("ping"), to)).has_value());
  for (int i = 0; i < turns_max && !*seen; ++i) co_await wait_a_turn();
  co_return seen->load();
}

/// One turn is enough where this thread looks at the sockets; another worker that waits for them may take its time.
int turns_max(Flavour flavour) { return flavour == Flavour::kCurrentThread ? 1 : 1'000'000; }

TEST_P(rt_common, yield_defers_until_park) {
  Runtime rt = runtime();
  auto yielding = rt.spawn(sees_a_datagram(&yield_once, turns_max(GetParam())));
  EXPECT_TRUE(rt.block_on(yielding).value());
}

TEST_P(rt_common, coop_yield_defers_until_park) {
  Runtime rt = runtime();
  auto yielding = rt.spawn(sees_a_datagram(&use_up_budget, turns_max(GetParam())));
  EXPECT_TRUE(rt.block_on(yielding).value());
}

Task<void> echo_for_ever(net::UdpSocket socket) {
  std::array<std::byte, 16> buffer{};
  for (;;) {
    const auto received = co_await socket.recv_from(buffer);
    if (!received) co_return;
    const auto sent = co_await socket.send_to(std::span(buffer).first(received->first), received->second);
    if (!sent) co_return;
  }
}

TEST_P(rt_common, io_notify_while_shutting_down) {
  for (int round = 0; round < 10; ++round) {
    Runtime rt = runtime();
    rt.block_on([]() -> Task<void> {
      auto first = net::UdpSocket::bind(loopback()).value();
      auto second = net::UdpSocket::bind(loopback()).value();
      EXPECT_TRUE((co_await first.send_to(bytes("ball"), second.local_address())).has_value());
      start(echo_for_ever(std::move(first)));
      start(echo_for_ever(std::move(second)));
      for (int i = 0; i < 10; ++i) co_await yield_now();
    });
  }
}

TEST_P(rt_common, local_set_block_on_socket) {
  Runtime rt = runtime();
  LocalSet local;
  local.block_on(rt, []() -> Task<void> {
    auto listener = net::Listener::bind(loopback()).value();
    const auto address = listener.local_address();
    auto [sender, accepted] = oneshot::channel<int>();
    static_cast<void>(spawn_local(accept_one(std::move(listener), std::move(sender))));
    EXPECT_TRUE((co_await net::Stream::connect(address)).has_value());
    EXPECT_TRUE((co_await accepted).has_value());
  });
}

TEST_P(rt_common, local_set_client_server_block_on) {
  Runtime rt = runtime();
  LocalSet local;
  local.block_on(rt, []() -> Task<void> {
    auto listener = net::Listener::bind(loopback()).value();
    const auto address = listener.local_address();
    auto server = spawn_local(serve_hello(std::move(listener)));
    auto client = spawn_local(read_hello(address));
    EXPECT_TRUE((co_await server).has_value());
    EXPECT_TRUE((co_await client).has_value());
  });
}

KAIDO_FLAVOURS(rt_common);

}  // namespace
}  // namespace kaido::parity
