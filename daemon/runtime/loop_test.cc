#include "daemon/runtime/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include "daemon/runtime/timer.h"
#include "proto/base/time.h"

namespace kaido::daemon {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Duration kLimit = seconds(20);

class Source final : public IoSource {
 public:
  explicit Source(std::function<void(Readiness)> on_ready) : on_ready_(std::move(on_ready)) {}
  void on_ready(Readiness ready) override { on_ready_(ready); }

 private:
  std::function<void(Readiness)> on_ready_;
};

class Output final : public TurnOutput {
 public:
  explicit Output(std::function<void()> on_flush) : on_flush_(std::move(on_flush)) {}
  void flush() override { on_flush_(); }

 private:
  std::function<void()> on_flush_;
};

class Hook final : public TurnHook {
 public:
  explicit Hook(std::function<void(base::Instant)> on_end) : on_end_(std::move(on_end)) {}
  void on_turn_end(base::Instant now) override { on_end_(now); }

 private:
  std::function<void(base::Instant)> on_end_;
};

/// Two connected sockets.
struct Pair {
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0); }
  ~Pair() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  void feed() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  void drain() const {
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  }
  std::array<int, 2> ends{-1, -1};
};

TEST(Loop, RunsPostedFunctionsInOrder) {
  Loop loop;
  std::string order;
  loop.post([&] {
    order += 'a';
    loop.post([&] { order += 'c'; });  // a later turn
    order += 'b';
  });
  EXPECT_TRUE(loop.run_until([&] { return order.size() == 3; }, kLimit));
  EXPECT_EQ(order, "abc");
}

TEST(Loop, TakesPostsFromOtherThreadsWhileItWaits) {
  Loop loop;
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) loop.post([&] { ran.fetch_add(1); });
    });
  }
  EXPECT_TRUE(loop.run_until([&] { return ran == 2000; }, kLimit));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(loop.stats().posts, 2000U);
}

TEST(Loop, StopsFromAnotherThreadAndRunsAgain) {
  Loop loop;
  int returned = 0;
  for (int i = 0; i < 3; ++i) {
    std::thread stopper([&] { loop.stop(); });
    loop.run();
    ++returned;
    stopper.join();
  }
  EXPECT_EQ(returned, 3);
}

TEST(Loop, KnowsItsThread) {
  Loop loop;
  EXPECT_TRUE(loop.is_current());  // nobody runs it
  bool here = false;
  bool elsewhere = true;
  loop.post([&] {
    here = loop.is_current();
    std::thread([&] { elsewhere = loop.is_current(); }).join();
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(here);
  EXPECT_FALSE(elsewhere);
}

TEST(Loop, ReportsAllReadySourcesInOneTurnAndFlushesOnce) {
  Loop loop;
  const Pair one;
  const Pair two;
  int flushed = 0;
  std::vector<int> ready_before_flush;
  int ready = 0;
  Output output([&] {
    ++flushed;
    ready_before_flush.push_back(ready);
  });
  const auto handle = [&](const Pair& pair) {
    pair.drain();
    ++ready;
    loop.mark(output);
    loop.mark(output);
  };
  Source first([&](Readiness) { handle(one); });
  Source second([&](Readiness) { handle(two); });
  one.feed();
  two.feed();
  const WatchToken token_one = loop.watch(one.ends[0], first, {.readable = true});
  const WatchToken token_two = loop.watch(two.ends[0], second, {.readable = true});
  EXPECT_TRUE(loop.run_until([&] { return flushed > 0; }, kLimit));
  EXPECT_EQ(ready_before_flush, std::vector<int>{2});
  loop.unwatch(token_one);
  loop.unwatch(token_two);
}

TEST(Loop, ReportsAgainWhatWasNotReadToItsEnd) {
  Loop loop;
  const Pair pair;
  int reports = 0;
  Source source([&](Readiness) {
    if (++reports == 3) pair.drain();
  });
  const WatchToken token = loop.watch(pair.ends[0], source, {.readable = true});
  pair.feed();
  EXPECT_TRUE(loop.run_until([&] { return reports == 3; }, kLimit));
  bool later = false;
  loop.post([&] { later = true; });
  EXPECT_TRUE(loop.run_until([&] { return later; }, kLimit));
  EXPECT_EQ(reports, 3);
  loop.unwatch(token);
}

TEST(Loop, ReportsNothingToASourceThatAnotherUnwatchedInTheSameTurn) {
  Loop loop;
  const Pair one;
  const Pair two;
  std::array<WatchToken, 2> tokens;
  int reports = 0;
  const auto unwatch_both = [&](Readiness) {
    ++reports;
    loop.unwatch(tokens[0]);
    loop.unwatch(tokens[1]);
  };
  Source first(unwatch_both);
  Source second(unwatch_both);
  tokens[0] = loop.watch(one.ends[0], first, {.readable = true});
  tokens[1] = loop.watch(two.ends[0], second, {.readable = true});
  one.feed();
  two.feed();
  EXPECT_TRUE(loop.run_until([&] { return reports > 0; }, kLimit));
  EXPECT_EQ(reports, 1);
}

TEST(Loop, AStaleTokenDoesNotTouchTheSourceThatTookItsPlace) {
  Loop loop;
  int reports = 0;
  Source old_source([](Readiness) { FAIL(); });
  Source new_source([&](Readiness) { ++reports; });
  const WatchToken stale = loop.watch(old_source);
  loop.unwatch(stale);
  const WatchToken fresh = loop.watch(new_source);
  EXPECT_EQ(stale.index, fresh.index);
  loop.make_ready(stale, {.readable = true});
  loop.unwatch(stale);
  loop.make_ready(fresh, {.readable = true});
  EXPECT_TRUE(loop.run_until([&] { return reports == 1; }, kLimit));
  loop.unwatch(fresh);
}

TEST(Loop, AHangUpWithoutInterestDoesNotSpin) {
  Loop loop;
  auto pair = std::make_unique<Pair>();
  Source source([](Readiness) { FAIL(); });
  const WatchToken token = loop.watch(pair->ends[0], source, {.readable = true});
  loop.set_interest(token, {});
  ::shutdown(pair->ends[1], SHUT_RDWR);
  const auto before = loop.stats().turns;
  EXPECT_FALSE(loop.run_until([] { return false; }, milliseconds(20)));
  EXPECT_LE(loop.stats().turns - before, 2U);
  loop.unwatch(token);
}

TEST(Loop, RunsHooksBeforeTheFlushOfEveryTurn) {
  Loop loop;
  std::string order;
  Output output([&] { order += 'F'; });
  Hook hook([&](base::Instant now) {
    EXPECT_EQ(now, loop.now());
    if (order == "P") loop.mark(output);
    if (order == "P") order += 'h';
  });
  loop.add_hook(hook);
  loop.post([&] { order += 'P'; });
  EXPECT_TRUE(loop.run_until([&] { return order.size() == 3; }, kLimit));
  EXPECT_EQ(order, "PhF");
  loop.remove_hook(hook);
}

TEST(Loop, AHookMayRemoveItselfAndOthers) {
  Loop loop;
  int first_runs = 0;
  int second_runs = 0;
  Hook second([&](base::Instant) { ++second_runs; });
  Hook first([&](base::Instant) {
    ++first_runs;
    loop.remove_hook(first);
    loop.remove_hook(second);
  });
  loop.add_hook(first);
  loop.add_hook(second);
  bool ran = false;
  loop.post([&] { ran = true; });
  EXPECT_TRUE(loop.run_until([&] { return ran; }, kLimit));
  EXPECT_EQ(first_runs, 1);
  EXPECT_EQ(second_runs, 0);
}

TEST(Loop, FlushesWhatAFlushMarkedAndForgetsWhatWasUnmarked) {
  Loop loop;
  std::string order;
  Output dropped([&] { order += 'X'; });
  Output second([&] { order += '2'; });
  Output first([&] {
    order += '1';
    loop.mark(second);
    loop.unmark(dropped);
  });
  loop.post([&] {
    loop.mark(first);
    loop.mark(dropped);
  });
  EXPECT_TRUE(loop.run_until([&] { return order.size() >= 2; }, kLimit));
  EXPECT_EQ(order, "12");
}

// Two outputs that mark each other for ever take turns; they do not keep others from being served.
TEST(Loop, EndlessFlushingDoesNotHoldUpTheLoop) {
  Loop loop;
  std::optional<Output> one;
  std::optional<Output> two;
  bool stop = false;
  one.emplace([&] {
    if (!stop) loop.mark(*two);
  });
  two.emplace([&] {
    if (!stop) loop.mark(*one);
  });
  bool posted = false;
  loop.post([&] { loop.mark(*one); });
  loop.post([&] { loop.post([&] { posted = true; }); });
  EXPECT_TRUE(loop.run_until([&] { return posted; }, kLimit));
  stop = true;
}

TEST(Loop, TimeStandsStillWithinATurn) {
  Loop loop;
  bool same = false;
  loop.post([&] {
    const base::Instant before = loop.now();
    const auto spin_until = std::chrono::steady_clock::now() + milliseconds(1);
    while (std::chrono::steady_clock::now() < spin_until) {
    }
    same = loop.now() == before;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(same);
  EXPECT_GE(loop.stats().turn_time_max, milliseconds(1));
}

TEST(Loop, AsioHandlersAreTurnsToo) {
  Loop loop;
  bool flushed = false;
  Output output([&] { flushed = true; });
  boost::asio::post(loop.io(), [&] { loop.mark(output); });
  EXPECT_TRUE(loop.run_until([&] { return flushed; }, kLimit));
}

TEST(Timer, FiresOnceAndNotEarly) {
  Loop loop;
  int fired = 0;
  const base::Instant due = loop.now() + milliseconds(5);
  Timer timer(loop, [&] {
    ++fired;
    EXPECT_GE(loop.now(), due);
  });
  timer.set(due);
  EXPECT_TRUE(loop.run_until([&] { return fired > 0; }, kLimit));
  EXPECT_FALSE(timer.expiry().has_value());
  EXPECT_FALSE(loop.run_until([&] { return fired > 1; }, milliseconds(10)));
}

TEST(Timer, MovesBothWaysAndClears) {
  Loop loop;
  std::string order;
  Timer earlier(loop, [&] { order += 'e'; });
  Timer later(loop, [&] { order += 'l'; });
  Timer cleared(loop, [&] { order += 'c'; });
  earlier.set_after(hours(1));
  earlier.set_after(milliseconds(1));
  later.set_after(milliseconds(1));
  later.set_after(milliseconds(10));
  cleared.set_after(milliseconds(1));
  cleared.clear();
  EXPECT_TRUE(loop.run_until([&] { return order.size() == 2; }, kLimit));
  EXPECT_EQ(order, "el");
}

TEST(Timer, MayBeSetAgainAndDestroyedInItsCallback) {
  Loop loop;
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&] {
    if (++fired == 1) {
      timer->set_after(milliseconds(1));
    } else {
      timer.reset();
    }
  });
  timer->set_after(milliseconds(1));
  EXPECT_TRUE(loop.run_until([&] { return timer == nullptr; }, kLimit));
  EXPECT_EQ(fired, 2);
}

TEST(Timer, TheEndOfTimeIsNotNow) {
  Loop loop;
  Timer timer(loop, [] { FAIL(); });
  timer.set(base::Instant::max());
  EXPECT_FALSE(loop.run_until([] { return false; }, milliseconds(5)));
}

}  // namespace
}  // namespace kaido::daemon
