/// tokio's rt_handle_block_on.rs: Handle::block_on, on each flavour. On a current-thread runtime it drives nothing, so
/// there another thread does where a case needs timers or sockets.
#include <chrono>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>

#include <kaido/asio.h>
#include <kaido/coop.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using boost::asio::ip::udp;

class rt_handle_block_on : public FlavourTest {};

/// Drives a current-thread runtime on a thread of its own.
class Driven {
 public:
  explicit Driven(Runtime& rt) {
    auto [sender, receiver] = oneshot::channel<int>();
    stop_ = std::move(sender);
    if (rt.handle().runtime_flavor() != RuntimeFlavor::kCurrentThread) return;
    thread_ =
        std::thread([&rt, receiver = std::move(receiver)]() mutable { static_cast<void>(rt.block_on(receiver)); });
  }
  Driven(const Driven&) = delete;
  Driven& operator=(const Driven&) = delete;
  ~Driven() {
    if (!thread_.joinable()) return;
    send(stop_, 1);
    thread_.join();
  }

 private:
  oneshot::Sender<int> stop_;
  std::thread thread_;
};

Task<int> answer() { co_return 42; }

/// Runs `factory` on a handle before and after the runtime's end.
template <typename F>
void before_and_after_shutdown(Runtime rt, F factory) {
  const Handle handle = rt.handle();
  handle.block_on(factory);
  std::move(rt).shutdown_timeout(1000s);
  handle.block_on(factory);
}

TEST_P(rt_handle_block_on, basic) {
  before_and_after_shutdown(runtime(), []() -> Task<void> {
    EXPECT_TRUE(Handle::try_current().has_value());
    const int value = co_await answer();
    EXPECT_EQ(value, 42);
  });
}

TEST_P(rt_handle_block_on, bounded_mpsc_channel) {
  before_and_after_shutdown(runtime(), []() -> Task<void> {
    auto [sender, receiver] = mpsc::channel<int>(1024);
    EXPECT_TRUE((co_await sender.send(42)).has_value());
    EXPECT_EQ(co_await receiver.recv(), 42);
  });
}

TEST_P(rt_handle_block_on, unbounded_mpsc_channel) {
  before_and_after_shutdown(runtime(), []() -> Task<void> {
    auto [sender, receiver] = mpsc::unbounded_channel<int>();
    EXPECT_TRUE(sender.send(42).has_value());
    EXPECT_EQ(co_await receiver.recv(), 42);
  });
}

TEST_P(rt_handle_block_on, yield_in_block_in_place) {
  Runtime rt = runtime();
  const auto yield_inside = [handle = rt.handle()] {
    block_in_place([&handle] { handle.block_on([]() -> Task<void> { co_await yield_now(); }); });
  };
  if (GetParam() == Flavour::kCurrentThread) {
    // Only a blocking thread may block there.
    auto joined = rt.spawn_blocking(yield_inside);
    EXPECT_TRUE(rt.block_on(joined).has_value());
    return;
  }
  rt.block_on([&yield_inside]() -> Task<void> {
    yield_inside();
    co_return;
  });
}

TEST_P(rt_handle_block_on, basic_spawn_blocking) {
  Runtime rt = runtime();
  const Handle handle = rt.handle();
  handle.block_on([]() -> Task<void> {
    auto joined = spawn_blocking([] { return 42; });
    EXPECT_EQ((co_await joined).value(), 42);
  });
}

TEST_P(rt_handle_block_on, spawn_blocking_after_shutdown_fails) {
  Runtime rt = runtime();
  const Handle handle = rt.handle();
  std::move(rt).shutdown_timeout(1000s);
  handle.block_on([]() -> Task<void> {
    auto joined = spawn_blocking([] {});
    EXPECT_TRUE((co_await joined).error().is_cancelled());
  });
}

TEST_P(rt_handle_block_on, spawn_blocking_started_before_shutdown_continues) {
  Runtime rt = runtime();
  const Handle handle = rt.handle();
  handle.block_on([&rt]() -> Task<void> {
    auto started = std::make_shared<std::promise<void>>();
    auto release = std::make_shared<std::promise<void>>();
    auto joined = spawn_blocking([started, release] {
      started->set_value();
      release->get_future().wait();
      return 42;
    });
    started->get_future().wait();
    std::move(rt).shutdown_background();
    release->set_value();
    EXPECT_EQ((co_await joined).value(), 42);
  });
}

TEST_P(rt_handle_block_on, tcp_listener_bind) {
  Runtime rt = runtime();
  const EnterGuard guard = rt.enter();
  Handle::current().block_on([]() -> Task<void> {
    tcp::acceptor acceptor(io_executor(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    EXPECT_NE(acceptor.local_endpoint().port(), 0);
    co_return;
  });
}

TEST_P(rt_handle_block_on, udp_socket_bind) {
  Runtime rt = runtime();
  const EnterGuard guard = rt.enter();
  Handle::current().block_on([]() -> Task<void> {
    udp::socket socket(io_executor(), udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    EXPECT_NE(socket.local_endpoint().port(), 0);
    co_return;
  });
}

TEST_P(rt_handle_block_on, nesting) {
  Runtime rt = runtime();
  const auto nest = [&rt] {
    rt.block_on([handle = rt.handle()]() -> Task<void> {
      handle.block_on(answer());
      co_return;
    });
  };
  EXPECT_THROW(nest(), std::logic_error);
}

TEST_P(rt_handle_block_on, spawn_after_runtime_dropped) {
  Runtime rt = runtime();
  const Handle handle = rt.handle();
  auto before = handle.spawn([]() -> Task<void> { co_await pending(); });
  {
    const Runtime dropped = std::move(rt);
  }
  auto after = handle.spawn([]() -> Task<void> { co_await pending(); });
  for (auto* joined : {&before, &after}) {
    EXPECT_TRUE(joined->is_finished());
    testing::Probe<bool> probe([joined]() -> Task<bool> { co_return (co_await *joined).error().is_cancelled(); });
    EXPECT_TRUE(probe.poll());
    EXPECT_TRUE(probe.take());
  }
}

TEST_P(rt_handle_block_on, unix_listener_bind) {
  Runtime rt = runtime();
  const Driven driven(rt);
  const EnterGuard guard = rt.enter();
  Handle::current().block_on([]() -> Task<void> {
    using boost::asio::local::stream_protocol;
    // An address of the abstract namespace: no file.
    const std::string address = std::string(1, '\0') + "kaido-parity-" +
                                std::to_string(Handle::current().id().value()) + "-" + std::to_string(::getpid());
    stream_protocol::acceptor acceptor(io_executor(), stream_protocol::endpoint(address));
    // Nobody comes, which is no error.
    const auto accepted = co_await timeout(10ms, acceptor.async_accept(use_task));
    EXPECT_TRUE(!accepted.has_value() && accepted.error().is_timed_out());
  });
}

TEST_P(rt_handle_block_on, sleep) {
  Runtime rt = runtime();
  const Driven driven(rt);
  const auto begin = std::chrono::steady_clock::now();
  rt.handle().block_on([]() -> Task<void> { co_await kaido::sleep(10ms); });
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
}

std::string sleep_text(const Handle& handle, Sleep made) {
  try {
    handle.block_on([&made]() -> Task<void> { co_await made; });
  } catch (const std::runtime_error& failure) {
    return failure.what();
  }
  return "";
}

TEST_P(rt_handle_block_on, sleep_before_shutdown_panics) {
  Runtime rt = runtime();
  const Handle handle = rt.handle();
  const EnterGuard guard = handle.enter();
  Sleep made = kaido::sleep(100ms);
  std::move(rt).shutdown_timeout(1000s);
  EXPECT_NE(sleep_text(handle, std::move(made)).find("being shut down"), std::string::npos);
}

TEST_P(rt_handle_block_on, sleep_after_shutdown_panics) {
  Runtime rt = runtime();
  const Handle handle = rt.handle();
  const EnterGuard guard = handle.enter();
  std::move(rt).shutdown_timeout(1000s);
  EXPECT_NE(sleep_text(handle, kaido::sleep(100ms)).find("being shut down"), std::string::npos);
}

KAIDO_FLAVOURS(rt_handle_block_on);

}  // namespace
}  // namespace kaido::parity
