/// tokio's rt_threaded.rs: the multi-thread runtime. Blocking in place is in the file beside this one.
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <kaido/asio.h>
#include <kaido/coop.h>
#include <kaido/join_set.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/oneshot.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

TEST(rt_threaded, single_thread) {
  Runtime rt = RuntimeBuilder::new_multi_thread().enable_all().worker_threads(1).build().value();
  EXPECT_EQ(rt.metrics().num_workers(), 1u);
}

TEST(rt_threaded, many_oneshot_futures) {
  constexpr int kTasks = 1000;
  for (int round = 0; round < 5; ++round) {
    std::optional<Runtime> rt(multi_thread(4));
    std::atomic<int> count = 0;
    std::promise<void> done;
    for (int i = 0; i < kTasks; ++i) {
      start_on(*rt, [&]() -> Task<void> {
        if (++count == kTasks) done.set_value();
        co_return;
      });
    }
    done.get_future().wait();
    rt.reset();
    EXPECT_EQ(count, kTasks);
  }
}

TEST(rt_threaded, spawn_two) {
  std::optional<Runtime> rt(multi_thread(4));
  const std::string out = rt->block_on([]() -> Task<std::string> {
    auto [sender, receiver] = oneshot::channel<std::string>();
    start([sender = std::move(sender)]() mutable -> Task<void> {
      start([sender = std::move(sender)]() mutable -> Task<void> {
        send(sender, std::string("ZOMG"));
        co_return;
      });
      co_return;
    });
    co_return (co_await receiver).value();
  });
  EXPECT_EQ(out, "ZOMG");
  const RuntimeMetrics metrics = rt->metrics();
  rt.reset();
  std::uint64_t local = 0;
  for (std::size_t worker = 0; worker < 4; ++worker) local += metrics.worker_local_schedule_count(worker);
  EXPECT_EQ(metrics.remote_schedule_count(), 1u);
  EXPECT_EQ(local, 1u);
}

Task<void> relay(mpsc::Receiver<int> in, mpsc::Sender<int> out) {
  while (auto value = co_await in.recv()) {
    const bool is_taken = (co_await out.send(*value + 1)).has_value();
    if (!is_taken) co_return;
  }
}

constexpr int kTracks = 50;
constexpr int kHops = 200;
constexpr int kCycles = 5;

TEST(rt_threaded, many_multishot_futures) {
  Runtime rt = multi_thread(4);
  rt.block_on([]() -> Task<void> {
    std::vector<mpsc::Sender<int>> first;
    std::vector<mpsc::Receiver<int>> last;
    for (int track = 0; track < kTracks; ++track) {
      auto [start_sender, next] = mpsc::channel<int>(1);
      for (int hop = 0; hop < kHops; ++hop) {
        auto [sender, receiver] = mpsc::channel<int>(1);
        start(relay(std::move(next), std::move(sender)));
        next = std::move(receiver);
      }
      first.push_back(std::move(start_sender));
      last.push_back(std::move(next));
    }
    for (int cycle = 0; cycle < kCycles; ++cycle) {
      for (auto& sender : first) EXPECT_TRUE((co_await sender.send(0)).has_value());
      for (auto& receiver : last) EXPECT_EQ((co_await receiver.recv()).value(), kHops);
    }
  });
}

Task<void> respawn(const std::atomic<bool>& stop) {
  if (!stop) start(respawn(stop));
  co_return;
}

TEST(rt_threaded, lifo_slot_budget) {
  std::atomic<bool> stop = false;
  Runtime rt = multi_thread(1);
  auto [sender, receiver] = oneshot::channel<int>();
  start_on(rt, respawn(stop));
  start_on(rt, [sender = std::move(sender)]() mutable -> Task<void> {
    send(sender, 1);
    co_return;
  });
  EXPECT_TRUE(rt.block_on(receiver).has_value());
}

Task<void> serve_hello(boost::asio::ip::tcp::acceptor acceptor, mpsc::UnboundedSender<int> done) {
  auto socket = (co_await acceptor.async_accept(use_task)).value();
  EXPECT_EQ((co_await boost::asio::async_write(socket, boost::asio::buffer("hello", 5), use_task)).value(), 5u);
  send(done, 1);
}

Task<void> read_hello(boost::asio::ip::tcp::endpoint endpoint, mpsc::UnboundedSender<int> done) {
  boost::asio::ip::tcp::socket socket(io_executor());
  EXPECT_TRUE((co_await socket.async_connect(endpoint, use_task)).has_value());
  std::array<char, 5> text{};
  EXPECT_EQ((co_await boost::asio::async_read(socket, boost::asio::buffer(text), use_task)).value(), 5u);
  EXPECT_EQ(std::string(text.data(), text.size()), "hello");
  send(done, 1);
}

TEST(rt_threaded, spawn_shutdown) {
  auto [done_sender, done] = mpsc::unbounded_channel<int>();
  std::optional<Runtime> rt(multi_thread(4));
  rt->block_on([sender = std::move(done_sender)]() mutable -> Task<void> {
    const boost::asio::ip::tcp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
    boost::asio::ip::tcp::acceptor acceptor(io_executor(), any);
    const auto endpoint = acceptor.local_endpoint();
    auto server = spawn(serve_hello(std::move(acceptor), sender));
    auto client = spawn(read_hello(endpoint, std::move(sender)));
    EXPECT_TRUE((co_await server).has_value());
    EXPECT_TRUE((co_await client).has_value());
  });
  EXPECT_TRUE(done.try_recv().has_value());
  EXPECT_TRUE(done.try_recv().has_value());
  rt.reset();
  const auto last = done.try_recv();
  EXPECT_FALSE(last.has_value());
}

TEST(rt_threaded, drop_threadpool_drops_futures) {
  struct CountDrop {
    explicit CountDrop(std::atomic<int>& counter) : drops(counter) {}
    ~CountDrop() { ++drops; }
    std::atomic<int>& drops;
  };
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> starts = 0;
    std::atomic<int> stops = 0;
    std::atomic<int> drops = 0;
    {
      Runtime rt = RuntimeBuilder::new_multi_thread()
                       .worker_threads(4)
                       .on_thread_start([&starts] { ++starts; })
                       .on_thread_stop([&stops] { ++stops; })
                       .build()
                       .value();
      start_on(rt, [count = std::make_unique<CountDrop>(drops)]() -> Task<void> { co_await pending(); });
    }
    EXPECT_EQ(starts, stops);
    EXPECT_EQ(drops, 1);
  }
}

TEST(rt_threaded, start_stop_callbacks_called) {
  std::atomic<int> starts = 0;
  std::atomic<int> stops = 0;
  {
    Runtime rt = RuntimeBuilder::new_multi_thread()
                     .worker_threads(2)
                     .on_thread_start([&starts] { ++starts; })
                     .on_thread_stop([&stops] { ++stops; })
                     .build()
                     .value();
    auto handle = rt.spawn([]() -> Task<void> { co_return; });
    EXPECT_TRUE(rt.block_on(handle).has_value());
  }
  EXPECT_GT(starts, 0);
  EXPECT_EQ(stops, starts);
}

TEST(rt_threaded, multi_threadpool) {
  Runtime first = multi_thread(4);
  Runtime second = multi_thread(4);
  auto [sender, receiver] = oneshot::channel<int>();
  auto [done_sender, done] = oneshot::channel<int>();
  start_on(first, [receiver = std::move(receiver), done_sender = std::move(done_sender)]() mutable -> Task<void> {
    send(done_sender, (co_await receiver).value());
  });
  start_on(second, [sender = std::move(sender)]() mutable -> Task<void> {
    send(sender, 7);
    co_return;
  });
  EXPECT_EQ(done.blocking_recv().value(), 7);
}

TEST(rt_threaded, max_blocking_threads) {
  Runtime rt = RuntimeBuilder::new_multi_thread().max_blocking_threads(1).worker_threads(2).build().value();
  auto handle = rt.spawn_blocking([] { return 1; });
  EXPECT_EQ(rt.block_on(handle).value(), 1);
}

TEST(rt_threaded, max_blocking_threads_set_to_zero) {
  EXPECT_THROW(RuntimeBuilder::new_multi_thread().max_blocking_threads(0), std::invalid_argument);
}

TEST(rt_threaded, global_queue_interval_set_to_one) {
  Runtime rt = RuntimeBuilder::new_multi_thread().worker_threads(2).global_queue_interval(1).build().value();
  const int joined = rt.block_on([]() -> Task<int> {
    JoinSet<int> set;
    for (int i = 0; i < 10; ++i) {
      set.spawn([i]() -> Task<int> { co_return i; });
    }
    int count = 0;
    for (;;) {
      const bool more = (co_await set.join_next()).has_value();
      if (!more) co_return count;
      ++count;
    }
  });
  EXPECT_EQ(joined, 10);
}

/// Stalls the worker for a while: a long poll.
void stall(std::chrono::microseconds duration) {
  const auto until = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < until) {
  }
}

/// How many polls of local tasks happen between a remote spawn and its run.
std::size_t polls_before_remote(const Runtime& rt, std::chrono::microseconds poll_time) {
  std::atomic<bool> stop = false;
  std::atomic<std::size_t> polls = 0;
  std::promise<void> warm;
  auto load = rt.spawn([&]() -> Task<void> {
    while (!stop) {
      stall(poll_time);
      if (++polls == 1000) warm.set_value();
      co_await WakeOnce();
    }
  });
  warm.get_future().wait();
  std::promise<std::size_t> ran_at;
  const std::size_t spawned_at = polls;
  start_on(rt, [&]() -> Task<void> {
    ran_at.set_value(polls);
    co_return;
  });
  const std::size_t waited = ran_at.get_future().get() - spawned_at;
  stop = true;
  while (!load.is_finished()) std::this_thread::yield();
  return waited;
}

TEST(rt_threaded, test_tuning) {
  Runtime rt = multi_thread(1);
  // Short polls: the interval grows to its limit, but not beyond. One more round for the spawn that came in between.
  EXPECT_LE(polls_before_remote(rt, 0us), 2u * 127u);
  // Long polls: it shrinks, so that remote tasks wait for about 200 us.
  EXPECT_LE(polls_before_remote(rt, 100us), 20u);
}

TEST(rt_threaded, default_runtime_name_should_be_none) {
  Runtime rt = multi_thread(1);
  EXPECT_EQ(rt.handle().name(), std::nullopt);
}

TEST(rt_threaded, different_runtime_names) {
  Runtime first = RuntimeBuilder::new_multi_thread().worker_threads(1).name("test-runtime-1").build().value();
  Runtime second = RuntimeBuilder::new_multi_thread().worker_threads(1).name("test-runtime-2").build().value();
  EXPECT_EQ(first.handle().name(), "test-runtime-1");
  EXPECT_EQ(second.handle().name(), "test-runtime-2");
}

TEST(rt_threaded, unstable__test_disable_lifo_slot) {
  Runtime rt = RuntimeBuilder::new_multi_thread().disable_lifo_slot().worker_threads(2).build().value();
  auto parent = rt.spawn([]() -> Task<void> {
    // Only another worker can run it while this one is blocked.
    std::promise<void> ran;
    auto child = spawn([&ran]() -> Task<void> {
      ran.set_value();
      co_return;
    });
    ran.get_future().wait();
    EXPECT_TRUE((co_await child).has_value());
  });
  EXPECT_TRUE(rt.block_on(parent).has_value());
}

TEST(rt_threaded, unstable__runtime_id_is_same) {
  Runtime rt = multi_thread(1);
  EXPECT_EQ(rt.handle().id(), rt.handle().id());
}

TEST(rt_threaded, unstable__runtime_ids_different) {
  Runtime first = multi_thread(1);
  Runtime second = multi_thread(1);
  EXPECT_NE(first.handle().id(), second.handle().id());
}

}  // namespace
}  // namespace kaido::parity
