#include <kaido/net.h>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_set.h>
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

/// A Unix address of this test's own, without a file.
Address own_address(std::string_view purpose) {
  return Address::unix_path(std::string(1, '\0') + "kaido-net-test-" + std::to_string(::getpid()) +
                            std::string(purpose));
}

TEST(Net, SeveralTasksMayWaitForOneListener) {
  constexpr int kTasks = 3;
  Runtime runtime = make_runtime();
  runtime.block_on([]() -> Task<void> {
    const Listener listener = Listener::bind(Address::parse("127.0.0.1:0")).value();
    JoinSet<bool> tasks;
    for (int i = 0; i < kTasks; ++i) {
      tasks.spawn([&listener]() -> Task<bool> { co_return (co_await listener.accept()).has_value(); });
    }
    co_await yield_now();
    std::vector<Stream> clients;
    for (int i = 0; i < kTasks; ++i) {
      clients.push_back((co_await Stream::connect(listener.local_address())).value());
      const auto accepted = co_await timeout(10s, tasks.join_next());
      EXPECT_TRUE(accepted.has_value() && (**accepted).value());
    }
  });
}

TEST(Net, OneThatWaitsNoMoreKeepsNothingFromTheOthers) {
  Runtime runtime = make_runtime();
  runtime.block_on([]() -> Task<void> {
    const auto receiver = UdpSocket::bind(Address::parse("127.0.0.1:0")).value();
    const auto sender = UdpSocket::bind(Address::parse("127.0.0.1:0")).value();
    auto receive = [&receiver]() -> Task<bool> {
      std::array<std::byte, 16> buffer{};
      co_return (co_await receiver.recv_from(buffer)).has_value();
    };
    auto first = spawn(receive);
    auto given_up = spawn(receive);
    auto last = spawn(receive);
    co_await yield_now();
    given_up.abort();
    EXPECT_TRUE((co_await given_up).error().is_cancelled());
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE((co_await sender.send_to(bytes("x"), receiver.local_address())).has_value());
    }
    EXPECT_TRUE((co_await timeout(10s, std::move(first))).has_value());
    EXPECT_TRUE((co_await timeout(10s, std::move(last))).has_value());
  });
}

TEST(Net, AnOperationThatFailedCanBeAwaitedAgain) {
  Runtime runtime = make_runtime();
  runtime.block_on([]() -> Task<void> {
    const Address address = own_address("again");
    auto connect = Stream::connect(address);
    EXPECT_EQ((co_await connect).error(), std::errc::connection_refused);
    const Listener listener = Listener::bind(address).value();
    EXPECT_TRUE((co_await connect).has_value());
    bool is_refused = false;
    try {
      static_cast<void>(co_await connect);
    } catch (const std::logic_error&) {
      is_refused = true;
    }
    EXPECT_TRUE(is_refused) << "its socket is the stream's";
  });
}

// Nothing tells when there is room: who waited for the socket would find it ready over and over.
TEST(Net, AFullQueueOfConnectionsIsAnError) {
  Runtime runtime = make_runtime();
  const Address address = own_address("full");
  const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(listening, static_cast<const sockaddr*>(address.data()), address.size()), 0);
  ASSERT_EQ(::listen(listening, 0), 0);
  runtime.block_on([&]() -> Task<void> {
    constexpr int kMoreThanFit = 8;
    std::vector<Stream> clients;
    std::error_code error;
    for (int i = 0; i < kMoreThanFit && !error; ++i) {
      auto connected = co_await timeout(10s, Stream::connect(address));
      if (!connected) co_return ADD_FAILURE() << connected.error().to_string();
      if (connected->has_value()) {
        clients.push_back(std::move(*connected).value());
      } else {
        error = connected->error();
      }
    }
    EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
  });
  ::close(listening);
}

TEST(Net, AWaitingOperationEndsWithItsRuntime) {
  std::optional<Runtime> owner(make_runtime());
  Runtime other = make_runtime();
  std::optional<Listener> listener;
  {
    const EnterGuard guard = owner->enter();
    listener.emplace(Listener::bind(Address::parse("127.0.0.1:0")).value());
  }
  auto wait = [&listener]() -> Task<bool> {
    const auto accepted = co_await listener->accept();
    co_return is_rt_shutdown_err(accepted.error());
  };
  auto first = other.spawn(wait);
  auto second = other.spawn(wait);
  other.block_on([]() -> Task<void> { co_await yield_now(); });
  owner.reset();
  EXPECT_TRUE(other.block_on(first).value());
  EXPECT_TRUE(other.block_on(second).value());
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
