#include <kaido/net.h>

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

namespace kaido::net {
namespace {

using namespace std::chrono_literals;

Runtime make_runtime() { return RuntimeBuilder::new_current_thread().enable_all().build().value(); }

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

Task<std::string> read_all(Stream stream) {
  std::string text;
  std::array<std::byte, 7> buffer{};
  for (;;) {
    const auto count = co_await stream.read(buffer);
    if (!count || *count == 0) co_return text;
    text.append(reinterpret_cast<const char*>(buffer.data()), *count);
  }
}

Task<std::string> exchange_on(Listener listener) {
  const Address address = listener.local_address();
  auto server = spawn([listener = std::move(listener)]() -> Task<std::string> {
    auto accepted = co_await listener.accept();
    co_return co_await read_all(std::move(accepted).value());
  });
  {
    Stream client = (co_await Stream::connect(address)).value();
    EXPECT_TRUE((co_await client.write_all(bytes("over the hills and far away"))).has_value());
  }
  co_return (co_await server).value();
}

TEST(Net, AStreamCarriesBytesToItsEnd) {
  Runtime runtime = make_runtime();
  const auto run = [](const Address& address) -> Task<std::string> {
    co_return co_await exchange_on(Listener::bind(address).value());
  };
  EXPECT_EQ(runtime.block_on(run(Address::parse("127.0.0.1:0"))), "over the hills and far away");
  EXPECT_EQ(runtime.block_on(run(Address::parse("[::1]:0"))), "over the hills and far away");
  const std::string name = std::string(1, '\0') + "kaido-net-test-" + std::to_string(::getpid());
  EXPECT_EQ(runtime.block_on(run(Address::unix_path(name))), "over the hills and far away");
}

TEST(Net, RefusedConnectionsAreErrors) {
  Runtime runtime = make_runtime();
  const bool refused = runtime.block_on([]() -> Task<bool> {
    Address address;
    {
      const Listener closed = Listener::bind(Address::parse("127.0.0.1:0")).value();
      address = closed.local_address();
    }
    const auto connected = co_await Stream::connect(address);
    co_return connected.error() == std::errc::connection_refused;
  });
  EXPECT_TRUE(refused);
}

TEST(Net, ADroppedReadLosesNothing) {
  Runtime runtime = make_runtime();
  runtime.block_on([]() -> Task<void> {
    auto receiver = UdpSocket::bind(Address::parse("127.0.0.1:0")).value();
    auto sender = UdpSocket::bind(Address::parse("127.0.0.1:0")).value();
    std::array<std::byte, 16> buffer{};
    const auto nothing = co_await timeout(1ms, receiver.recv_from(buffer));
    EXPECT_TRUE(nothing.error().is_timed_out());
    EXPECT_EQ((co_await sender.send_to(bytes("late"), receiver.local_address())).value(), 4u);
    const auto received = co_await receiver.recv_from(buffer);
    EXPECT_EQ(received.value().first, 4u);
    EXPECT_EQ(received.value().second.port(), sender.local_address().port());
  });
}

TEST(Net, AWaitingOperationEndsWithItsRuntime) {
  std::optional<Runtime> owner(make_runtime());
  Runtime other = make_runtime();
  std::optional<Listener> listener;
  {
    const EnterGuard guard = owner->enter();
    listener.emplace(Listener::bind(Address::parse("127.0.0.1:0")).value());
  }
  auto waiting = other.spawn([&listener]() -> Task<bool> {
    const auto accepted = co_await listener->accept();
    co_return is_rt_shutdown_err(accepted.error());
  });
  other.block_on([]() -> Task<void> { co_await yield_now(); });
  owner.reset();
  EXPECT_TRUE(other.block_on(waiting).value());
}

TEST(Net, NeedsARuntimeWithIo) {
  EXPECT_THROW(static_cast<void>(UdpSocket::bind(Address::parse("127.0.0.1:0"))), std::logic_error);
  Runtime runtime = RuntimeBuilder::new_current_thread().build().value();
  const EnterGuard guard = runtime.enter();
  EXPECT_THROW(static_cast<void>(UdpSocket::bind(Address::parse("127.0.0.1:0"))), std::logic_error);
}

TEST(Address, ReadsAndWrites) {
  EXPECT_EQ(Address::parse("127.0.0.1:80").to_string(), "127.0.0.1:80");
  EXPECT_EQ(Address::parse("[::1]:65535").to_string(), "[::1]:65535");
  EXPECT_EQ(Address::parse("[::1]:65535").port(), 65535);
  EXPECT_EQ(Address::unix_path("/run/x").to_string(), "/run/x");
  EXPECT_EQ(Address::unix_path(std::string_view("\0x", 2)).to_string(), "@x");
  for (const char* wrong : {"", "127.0.0.1", "localhost:80", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:8x", "[::1:80"}) {
    EXPECT_THROW(static_cast<void>(Address::parse(wrong)), std::invalid_argument) << wrong;
  }
  EXPECT_THROW(static_cast<void>(Address::unix_path(std::string(200, 'x'))), std::invalid_argument);
}

}  // namespace
}  // namespace kaido::net
