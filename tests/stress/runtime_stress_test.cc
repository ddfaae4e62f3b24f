// The local runtime under random scheduling delays, aborts, drops and shutdowns: whatever the order, every frame is
// destroyed exactly once, every handle resolves, and what the channels and locks promise holds.
//
// A failure prints the seed; KAIDO_STRESS_SEED=N runs that one, KAIDO_STRESS_ROUNDS=N runs more of them.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join.h>
#include <kaido/join_set.h>
#include <kaido/runtime.h>
#include <kaido/select.h>
#include <kaido/spawn.h>
#include <kaido/sync.h>
#include <kaido/time.h>

#include "tests/stress/delays.h"

namespace kaido::stress {
namespace {

using namespace std::chrono_literals;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Counts the frames that are alive: one in each coroutine of a story.
class Alive {
 public:
  explicit Alive(std::atomic<int>& count) noexcept : count_(&count) { ++*count_; }
  Alive(Alive&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Alive& operator=(Alive&&) = delete;
  ~Alive() {
    if (count_ != nullptr) --*count_;
  }

 private:
  std::atomic<int>* count_;
};

/// What the tasks of one round share. Outlives the runtime.
struct World {
  explicit World(std::uint64_t seed) : random(std::make_shared<SharedRandom>(seed)) {}
  std::shared_ptr<SharedRandom> random;
  std::atomic<int> alive = 0;
  [[nodiscard]] Alive frame() noexcept { return Alive(alive); }
};

Task<void> pause(World& world) {
  if (world.random->one_in(3)) co_await yield_now();
  if (world.random->one_in(16)) co_await sleep(std::chrono::microseconds(world.random->below(1500)));
}

/// Joins all; each task must have ended by itself or by an abort.
Task<void> join_everything(JoinSet<void>& set) {
  const std::size_t expected = set.len();
  std::size_t joined = 0;
  while (auto next = co_await set.join_next()) {
    ++joined;
    EXPECT_TRUE(next->ok() || next->error().is_cancelled()) << next->error().to_string();
  }
  EXPECT_EQ(joined, expected);
}

void abort_some(World& world, const std::vector<AbortHandle>& handles) {
  for (const AbortHandle& handle : handles) {
    if (world.random->one_in(4)) handle.abort();
  }
}

// --- mpsc: what each sender sent arrives in its order, without gaps, also when the sender is aborted.

struct Numbered {
  int sender;
  int number;
};

Task<void> send_numbers(World& world, Alive, mpsc::Sender<Numbered> tx, int sender) {
  for (int number = 0; number < 50; ++number) {
    if (!co_await tx.send(Numbered{sender, number})) co_return;
    co_await pause(world);
  }
}

Task<void> receive_numbers(World& world, Alive, mpsc::Receiver<Numbered> rx, int senders) {
  std::vector<int> next(static_cast<std::size_t>(senders), 0);
  while (auto value = co_await rx.recv()) {
    EXPECT_EQ(value->number, next[static_cast<std::size_t>(value->sender)]++);
    co_await pause(world);
  }
}

Task<void> channel_story(World& world, Alive) {
  constexpr int kSenders = 4;
  auto [tx, rx] = mpsc::channel<Numbered>(1 + world.random->below(4));
  JoinSet<void> set;
  std::vector<AbortHandle> handles;
  for (int sender = 0; sender < kSenders; ++sender) {
    handles.push_back(set.spawn(send_numbers(world, world.frame(), tx, sender)));
  }
  {
    auto last = std::move(tx);
  }
  set.spawn(receive_numbers(world, world.frame(), std::move(rx), kSenders));
  co_await pause(world);
  abort_some(world, handles);
  co_await join_everything(set);
}

// --- oneshot: a value or an error, never nothing.

Task<void> answer(World& world, Alive, oneshot::Sender<int> tx) {
  co_await pause(world);
  if (!world.random->one_in(4)) (void)tx.send(7);
}

Task<void> oneshot_story(World& world, Alive) {
  for (int round = 0; round < 20; ++round) {
    auto [tx, rx] = oneshot::channel<int>();
    auto handle = spawn(answer(world, world.frame(), std::move(tx)));
    if (world.random->one_in(4)) handle.abort();
    const auto received = co_await rx;
    EXPECT_EQ(received.value_or(7), 7);
  }
}

// --- locks: at most so many inside, and nothing is lost by an abort.

struct Guarded {
  explicit Guarded(std::size_t permits)
      : semaphore(std::make_shared<Semaphore>(permits)), limit(static_cast<int>(permits)) {}
  std::shared_ptr<Semaphore> semaphore;
  int limit;
  std::atomic<int> inside = 0;
  Mutex<int> exclusive{0};
};

Task<void> enter_often(World& world, Alive, std::shared_ptr<Guarded> guarded) {
  for (int round = 0; round < 20; ++round) {
    auto permit = co_await guarded->semaphore->acquire_owned();
    EXPECT_TRUE(permit.has_value());
    {
      const Alive inside(guarded->inside);
      EXPECT_LE(guarded->inside.load(), guarded->limit);
      co_await pause(world);
    }
    auto value = co_await guarded->exclusive.lock();
    const int before = (*value)++;
    co_await pause(world);
    EXPECT_EQ(*value, before + 1);
  }
}

Task<void> lock_story(World& world, Alive) {
  auto guarded = std::make_shared<Guarded>(1 + world.random->below(3));
  JoinSet<void> set;
  std::vector<AbortHandle> handles;
  for (int task = 0; task < 6; ++task) handles.push_back(set.spawn(enter_often(world, world.frame(), guarded)));
  co_await pause(world);
  abort_some(world, handles);
  co_await join_everything(set);
  EXPECT_EQ(guarded->inside, 0);
  EXPECT_EQ(static_cast<int>(guarded->semaphore->available_permits()), guarded->limit);
  EXPECT_TRUE(guarded->exclusive.try_lock().has_value());
}

// --- watch and broadcast: values grow, and the end is seen.

Task<void> follow(World& world, Alive, watch::Receiver<int> rx) {
  int last = 0;
  while (co_await rx.changed()) {
    const int value = *rx.borrow_and_update();
    EXPECT_GE(value, last);
    last = value;
    co_await pause(world);
  }
}

Task<void> listen(World& world, Alive, broadcast::Receiver<int> rx) {
  int last = 0;
  for (;;) {
    const auto value = co_await rx.recv();
    if (value) {
      EXPECT_GT(*value, last);
      last = *value;
    } else if (value.error().is_closed()) {
      co_return;
    }
    co_await pause(world);
  }
}

Task<void> news_story(World& world, Alive) {
  JoinSet<void> set;
  {
    auto [newest, first_follower] = watch::channel<int>(0);
    auto [all, first_listener] = broadcast::channel<int>(4);
    for (int task = 0; task < 3; ++task) {
      set.spawn(follow(world, world.frame(), newest.subscribe()));
      set.spawn(listen(world, world.frame(), all.subscribe()));
    }
    for (int value = 1; value <= 40; ++value) {
      (void)newest.send(value);
      (void)all.send(value);
      co_await pause(world);
    }
  }
  co_await join_everything(set);
}

// --- select, timeout and cancellation: one of the outcomes, and the losers are gone.

Task<int> take_time(World& world, Alive) {
  co_await sleep(std::chrono::microseconds(world.random->below(3000)));
  co_return 1;
}

Task<void> wait_for_token(Alive, CancellationToken token) { co_await token.cancelled(); }

Task<void> choice_story(World& world, Alive) {
  CancellationToken token;
  JoinSet<void> set;
  for (int task = 0; task < 4; ++task) set.spawn(wait_for_token(world.frame(), token.child_token()));
  for (int round = 0; round < 10; ++round) {
    const auto limited = co_await timeout(1ms, take_time(world, world.frame()));
    EXPECT_TRUE(limited.ok() || limited.error().kind() == ErrorKind::kTimedOut);
    auto handle = spawn(take_time(world, world.frame()));
    const auto won = co_await select(handle, take_time(world, world.frame()), sleep(1ms));
    if (won.index() != 0) handle.abort();
  }
  token.cancel();
  co_await join_everything(set);
}

constexpr Task<void> (*kStories[])(World&, Alive) = {&channel_story, &oneshot_story, &lock_story, &news_story,
                                                     &choice_story};

Task<void> tell_all_stories(World& world) {
  JoinSet<void> set;
  for (const auto story : kStories) set.spawn(story(world, world.frame()));
  co_await join_everything(set);
}

Task<void> tell_stories_a_while(World& world, std::chrono::microseconds duration) {
  for (const auto story : kStories) (void)spawn(story(world, world.frame()));
  co_await sleep(duration);
}

// --- handles: polled again and again with the same waker while the task behind them ends.

Task<void> yield_often() {
  for (int i = 0; i < 8; ++i) co_await yield_now();
}

Task<void> join_while_it_ends() {
  for (int i = 0; i < 100; ++i) {
    auto handle = spawn([]() -> Task<void> { co_await yield_now(); });
    co_await join(handle, yield_often());
  }
}

struct Flavour {
  const char* name;
  std::size_t workers;  // 0: current thread.
};

Runtime delayed_runtime(const Flavour& flavour, const World& world) {
  RuntimeBuilder builder =
      flavour.workers == 0 ? RuntimeBuilder::new_current_thread() : RuntimeBuilder::new_multi_thread();
  if (flavour.workers != 0) builder.worker_threads(flavour.workers);
  builder.enable_all();
  add_random_delays(builder, world.random);
  return builder.build().value();
}

class RuntimeStress : public ::testing::TestWithParam<Flavour> {
 protected:
  template <typename Round>
  static void repeat(Round round) {
    const std::uint64_t first = number_from("KAIDO_STRESS_SEED", 1);
    const std::uint64_t rounds = number_from("KAIDO_STRESS_ROUNDS", 4);
    for (std::uint64_t seed = first; seed < first + rounds; ++seed) {
      SCOPED_TRACE("KAIDO_STRESS_SEED=" + std::to_string(seed));
      World world(seed);
      round(world);
      EXPECT_EQ(world.alive, 0) << "frames were left over";
    }
  }
};

TEST_P(RuntimeStress, EveryStoryEndsWell) {
  repeat([](World& world) {
    Runtime runtime = delayed_runtime(GetParam(), world);
    runtime.block_on(tell_all_stories(world));
  });
}

TEST_P(RuntimeStress, AHandleMayBePolledWhileItsTaskEnds) {
  repeat([](World& world) {
    Runtime runtime = delayed_runtime(GetParam(), world);
    runtime.block_on([]() -> Task<void> {
      JoinSet<void> set;
      for (int i = 0; i < 8; ++i) set.spawn(join_while_it_ends());
      co_await join_everything(set);
    });
  });
}

TEST_P(RuntimeStress, ShutdownInTheMiddleDestroysEveryFrame) {
  repeat([](World& world) {
    Runtime runtime = delayed_runtime(GetParam(), world);
    runtime.block_on(tell_stories_a_while(world, std::chrono::microseconds(world.random->below(5000))));
  });
}

INSTANTIATE_TEST_SUITE_P(Flavours, RuntimeStress,
                         ::testing::Values(Flavour{"current_thread", 0}, Flavour{"two_workers", 2},
                                           Flavour{"four_workers", 4}),
                         [](const auto& flavour) { return std::string(flavour.param.name); });

}  // namespace
}  // namespace kaido::stress
