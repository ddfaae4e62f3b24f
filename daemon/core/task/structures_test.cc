// The containers under both cores. Each is compared with a plain one over many random steps, and then at its edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "daemon/core/task/attempt_memory.h"
#include "daemon/core/task/call_table.h"
#include "daemon/core/task/effect_queue.h"
#include "daemon/core/task/indexed_heap.h"
#include "daemon/core/task/byte_budget.h"
#include "daemon/core/task/run_queue.h"
#include "daemon/core/task/slot_index.h"
#include "daemon/core/task/slot_table.h"
#include "daemon/core/task/worker_table.h"
#include "proto/base/random.h"
#include "proto/wire/frame.h"

namespace kaido::daemon {
namespace {

constexpr std::uint64_t kSeed = 20260731;

struct Numbered {
  int number = 0;
  void clear() { number = 0; }
};

TEST(EffectQueue, KeepsOrderWhileItGrowsAndIsDrained) {
  EffectQueue<Numbered> queue;
  int next_in = 0;
  int next_out = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < round * 3; ++i) queue.push().number = next_in++;
    Numbered out;
    for (int i = 0; i < round * 2; ++i) {
      ASSERT_TRUE(queue.pop(out));
      ASSERT_EQ(out.number, next_out++);
    }
  }
  EXPECT_EQ(queue.size(), static_cast<std::size_t>(next_in - next_out));
}

TEST(IndexedHeap, AgreesWithASortedSetOverRandomSteps) {
  base::Random random(kSeed);
  HeapPositions positions;
  IndexedHeap<int> heap(positions);
  std::set<std::pair<int, std::uint32_t>> model;
  std::map<std::uint32_t, int> keys;
  for (int step = 0; step < 20000; ++step) {
    const std::uint32_t slot = random.below(300);
    if (keys.contains(slot)) {
      ASSERT_TRUE(heap.erase(slot));
      model.erase({keys[slot], slot});
      keys.erase(slot);
    } else {
      const int key = static_cast<int>(random.below(1000));
      heap.push(slot, key);
      model.insert({key, slot});
      keys[slot] = key;
    }
    ASSERT_EQ(heap.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(heap.top_key(), model.begin()->first);
    }
  }
  EXPECT_FALSE(heap.erase(1000)) << "never was in it";
  while (!heap.empty()) {
    ASSERT_EQ(heap.top_key(), model.begin()->first);
    const std::uint32_t slot = heap.pop();
    ASSERT_EQ(model.erase({keys[slot], slot}), 1U);
  }
}

// The most of the ids that one of as many places has; of random ones about 7.
std::size_t most_at_one_place(const std::vector<std::uint64_t>& ids, const HashKey& key) {
  std::map<std::uint32_t, std::size_t> places;
  std::size_t most = 0;
  for (const std::uint64_t id : ids) most = std::max(most, ++places[mix(key, id, 1) % ids.size()]);
  return most;
}

std::uint64_t inverse(std::uint64_t odd) {
  std::uint64_t x = odd;
  for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
  return x;
}

// Ids that had one hash for session 1 while it was a known function of both: MurmurHash3's finaliser, turned round.
std::vector<std::uint64_t> ids_of_one_murmur_hash(std::size_t count) {
  std::vector<std::uint64_t> ids;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t h = i << 32 | 0x1234567;
    h ^= h >> 33;
    h *= inverse(0xc4ceb9fe1a85ec53ULL);
    h ^= h >> 33;
    h *= inverse(0xff51afd7ed558ccdULL);
    h ^= h >> 33;
    ids.push_back((h - 1) * inverse(0x9e3779b97f4a7c15ULL));
  }
  return ids;
}

TEST(HashKey, WhoDoesNotKnowItCannotMakeIdsCollide) {
  const HashKey known(kSeed);
  std::vector<std::uint64_t> of_a_known_key;
  for (std::uint64_t id = 0; of_a_known_key.size() < 1024; ++id) {
    if (mix(known, id, 1) % 1024 == 5) of_a_known_key.push_back(id);
  }
  ASSERT_EQ(most_at_one_place(of_a_known_key, known), 1024U);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_LE(most_at_one_place(ids_of_one_murmur_hash(4096), HashKey(seed)), 20U) << "seed " << seed;
    EXPECT_LE(most_at_one_place(of_a_known_key, HashKey(seed)), 20U) << "seed " << seed;
  }
}

TEST(HashKey, NumbersInARowAreSpread) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (int shift = 0; shift <= 52; ++shift) {
      std::vector<std::uint64_t> ids;
      for (std::uint64_t i = 0; i < 4096; ++i) ids.push_back(i << shift);
      ASSERT_LE(most_at_one_place(ids, HashKey(seed)), 20U) << "seed " << seed << ", shift " << shift;
    }
  }
}

// 4096 calls of one session that wait: to find one, it is compared with itself and next to nothing else.
TEST(SlotIndex, CraftedIdsAreFoundAsRandomOnes) {
  const std::vector<std::uint64_t> ids = ids_of_one_murmur_hash(4096);
  const HashKey key(kSeed);
  SlotIndex index;
  for (std::uint32_t slot = 0; slot < ids.size(); ++slot) index.insert(mix(key, ids[slot], 1), slot);
  std::size_t probes = 0;
  for (std::uint32_t slot = 0; slot < ids.size(); ++slot) {
    EXPECT_EQ(index.find(mix(key, ids[slot], 1),
                         [&](std::uint32_t found) {
                           ++probes;
                           return ids[found] == ids[slot];
                         }),
              slot);
  }
  EXPECT_LE(probes, ids.size() + 16);
}

TEST(SlotIndex, AgreesWithAMapOverRandomSteps) {
  base::Random random(kSeed);
  SlotIndex index;
  std::map<std::uint32_t, std::uint32_t> model;  // slot → hash; few hashes, so that runs are long
  for (int step = 0; step < 8000; ++step) {
    const std::uint32_t slot = random.below(2000);
    if (const auto it = model.find(slot); it != model.end()) {
      index.erase(it->second, slot);
      model.erase(it);
    } else {
      const std::uint32_t hash = random.below(40) * 16;
      index.insert(hash, slot);
      model[slot] = hash;
    }
    if (step % 200 != 0) continue;
    ASSERT_EQ(index.size(), model.size());
    for (const auto& [known, hash] : model) {
      ASSERT_EQ(index.find(hash, [&, wanted = known](std::uint32_t found) { return found == wanted; }), known);
    }
  }
  EXPECT_EQ(index.find(1, [](std::uint32_t) { return true; }), SlotIndex::kNone);
}

TEST(CallTable, AgreesWithAMapOverRandomSteps) {
  // As the SDK numbers calls, counted up, and as nobody should: all of one place.
  const auto numbered = [](std::uint32_t n) { return std::uint64_t{n / 100} << 32 | n % 100; };
  const auto counted = [](std::uint32_t n) { return std::uint64_t{n}; };
  const auto colliding = [](std::uint32_t n) { return std::uint64_t{n} << 40; };
  for (const auto& id_of : std::vector<std::function<std::uint64_t(std::uint32_t)>>{numbered, counted, colliding}) {
    base::Random random(kSeed);
    CallTable table;
    std::map<std::uint64_t, std::uint64_t> model;
    for (std::uint64_t step = 1; step < 8000; ++step) {
      const std::uint64_t id = id_of(random.below(400));
      if (model.contains(id)) {
        EXPECT_FALSE(table.insert(id, step)) << "it is there already";
        table.erase(id);
        model.erase(id);
      } else {
        ASSERT_EQ(table.find(id), 0U);
        ASSERT_TRUE(table.insert(id, step));
        model[id] = step;
      }
      ASSERT_EQ(table.size(), model.size());
      if (step % 200 != 0) continue;
      std::multiset<std::uint64_t> expected;
      for (const auto& [known, sequence] : model) {
        ASSERT_EQ(table.find(known), sequence);
        expected.insert(sequence);
      }
      const std::vector<std::uint64_t> all = table.sequences();
      ASSERT_EQ(std::multiset<std::uint64_t>(all.begin(), all.end()), expected);
    }
  }
}

TEST(CallTable, TheLongestCallKeepsItsPlaceWhileOthersPassIt) {
  CallTable table;
  ASSERT_TRUE(table.insert(3, 1000));
  for (std::uint64_t id = 4; id < 4000; ++id) {
    ASSERT_TRUE(table.insert(id, id));
    ASSERT_FALSE(table.insert(3, id));
    table.erase(id);
  }
  EXPECT_EQ(table.find(3), 1000U);
  EXPECT_EQ(table.size(), 1U);
}

TEST(SlotTable, HandlesOfAMarkedTableAreNotThoseOfAnother) {
  SlotTable<int> table;
  SlotTable<int, true> marked;
  const std::uint64_t handle = table.handle(table.acquire(10));
  const std::uint64_t marked_handle = marked.handle(marked.acquire(10));
  EXPECT_NE(handle, marked_handle);
  EXPECT_FALSE(table.is_marked(handle));
  EXPECT_TRUE(table.is_marked(marked_handle));
  EXPECT_EQ(marked.find(marked_handle), 0U);
  EXPECT_EQ(table.find(marked_handle), SlotTable<int>::kNone);
  EXPECT_EQ(marked.find(handle), SlotTable<int>::kNone);
  EXPECT_EQ(marked.find(0), SlotTable<int>::kNone);
}

TEST(SlotTable, AHandleNeverNamesALaterRecordOfItsSlot) {
  SlotTable<int> table;
  const std::uint32_t slot = table.acquire(10);
  const std::uint64_t first = table.handle(slot);
  EXPECT_NE(first, 0U);
  EXPECT_EQ(table.find(first), slot);
  table.release(slot);
  EXPECT_EQ(table.find(first), SlotTable<int>::kNone);
  EXPECT_EQ(table.acquire(10), slot);
  EXPECT_EQ(table.find(first), SlotTable<int>::kNone);
  EXPECT_EQ(table.find(table.handle(slot)), slot);
  EXPECT_EQ(table.find(0), SlotTable<int>::kNone);
  EXPECT_EQ(table.find(~std::uint64_t{0}), SlotTable<int>::kNone) << "what a peer may invent";
}

TEST(SlotTable, IsBoundedAndReferencesStayValidWhileItGrows) {
  SlotTable<int> table;
  int& first = table[table.acquire(1000)];
  first = 7;
  for (int i = 1; i < 1000; ++i) ASSERT_NE(table.acquire(1000), SlotTable<int>::kNone);
  EXPECT_EQ(table.acquire(1000), SlotTable<int>::kNone);
  EXPECT_EQ(&first, &table[0]);
  EXPECT_EQ(first, 7);
}

TEST(ByteBudget, TakesNoMoreThanItsBound) {
  ByteBudget budget(10);
  EXPECT_TRUE(budget.take(8));
  EXPECT_FALSE(budget.take(3));
  EXPECT_FALSE(budget.take(~std::size_t{0})) << "nor what would wrap around";
  EXPECT_EQ(budget.used(), 8U);
  EXPECT_TRUE(budget.take(2));
  EXPECT_FALSE(budget.take(1));
  budget.give_back(10);
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_EQ(budget.max(), 10U);
}

TEST(Kept, CountsItsBytesUntilReleasedAndWhoHasAHandleKeepsThem) {
  ByteBudget budget(10);
  Kept kept;
  EXPECT_FALSE(kept.is_set());
  EXPECT_FALSE(kept.keep(budget, Payload::copy_of(wire::as_span("12345678901"))));
  EXPECT_FALSE(kept.is_set());
  EXPECT_EQ(budget.used(), 0U);
  ASSERT_TRUE(kept.keep(budget, Payload::copy_of(wire::as_span("12345678"))));
  EXPECT_EQ(budget.used(), 8U);
  const Payload handle = kept.payload();
  kept.release(budget);
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_TRUE(kept.payload().empty());
  EXPECT_EQ(wire::as_text(handle.bytes()), "12345678");
  kept.release(budget);
  EXPECT_EQ(budget.used(), 0U) << "twice is once";
  ASSERT_TRUE(kept.keep(budget, handle));
  EXPECT_TRUE(kept.is_set());
}

TEST(Kept, PinsNoMoreThanItIsCountedFor) {
  const wire::BlockRef block = wire::BlockRef::allocate(64U << 10);
  std::fill_n(block.data(), 10, std::byte{'x'});
  ByteBudget budget(100);
  Kept kept;
  ASSERT_TRUE(kept.keep(budget, Payload(block, block.data(), 10)));
  EXPECT_LT(kept.payload().footprint(), 100U);
  EXPECT_TRUE(block.is_unique()) << "a small part of a large block was copied out of it";
}

TEST(Kept, TakesWhatItPinsFromItsOwnersShare) {
  wire::MemoryBudget memory(16U << 10);
  ByteBudget budget(1U << 20, &memory);
  const wire::MemoryOwner owner{3};
  Kept kept;
  ASSERT_TRUE(kept.keep(budget, Payload::copy_of(std::vector<std::byte>(1000)), owner));
  EXPECT_EQ(memory.used(wire::MemoryKind::kArguments), kept.payload().footprint());
  Kept more;
  EXPECT_FALSE(more.keep(budget, Payload::copy_of(std::vector<std::byte>(8000)), owner));
  EXPECT_EQ(budget.used(), 1000U) << "what was refused is not counted";
  kept.release(budget);
  EXPECT_EQ(memory.used(), 0U);
  EXPECT_EQ(memory.refused(wire::MemoryKind::kArguments), 1U);
}

TEST(Kept, AnEmptyPayloadIsKeptToo) {
  ByteBudget budget(0);
  Kept kept;
  EXPECT_TRUE(kept.keep(budget, Payload()));
  EXPECT_TRUE(kept.is_set());
}

TEST(RunQueue, GoesByPriorityThenDeadlineThenArrival) {
  RunQueue queue;
  const auto at = [](int seconds) { return base::Instant(std::chrono::seconds(seconds)); };
  queue.push(0, 1, 0, base::Instant::max());
  queue.push(0, 2, 0, base::Instant::max());
  queue.push(0, 3, 0, at(9));
  queue.push(1, 4, 0, at(5));
  queue.push(1, 5, 7, base::Instant::max());
  std::vector<std::uint32_t> order;
  while (!queue.empty()) order.push_back(queue.pop_first([](std::uint32_t) { return true; }));
  EXPECT_EQ(order, (std::vector<std::uint32_t>{5, 4, 3, 1, 2}));
}

TEST(RunQueue, AWorkerTakesOnlyFromTheLanesItOffers) {
  RunQueue queue;
  queue.push(0, 1, 9, base::Instant::max());
  queue.push(3, 2, 0, base::Instant::max());
  EXPECT_EQ(queue.pop_first([](std::uint32_t lane) { return lane == 3; }), 2U);
  EXPECT_EQ(queue.pop_first([](std::uint32_t lane) { return lane == 3; }), RunQueue::kNone);
  EXPECT_EQ(queue.pop(3), RunQueue::kNone);
  EXPECT_EQ(queue.pop(0), 1U);
  EXPECT_TRUE(queue.empty());
}

TEST(WorkerTable, PicksTheLeastBusyForItsSlotsAndTakesTurnsAmongEquals) {
  WorkerTable workers(0);
  const base::FunctionId f[] = {{1}};
  const std::uint32_t small = workers.open(10, 2, f);
  const std::uint32_t large = workers.open(20, 4, f);
  const std::uint32_t lane = workers.lane_of({1});
  std::map<std::uint32_t, int> picked;
  for (int i = 0; i < 6; ++i) {
    const auto pick = workers.pick(lane);
    ASSERT_NE(pick.worker, WorkerTable::kNone);
    workers.occupy(pick.worker, false);
    ++picked[pick.worker];
    if (i == 2) {
      EXPECT_EQ(picked[large], 2) << "filled in proportion";
    }
  }
  EXPECT_EQ(picked[small], 2);
  EXPECT_EQ(picked[large], 4);
  EXPECT_FALSE(workers.can_run(lane));
  EXPECT_EQ(workers.pick(lane).worker, WorkerTable::kNone);
  workers.vacate(large, false);
  EXPECT_EQ(workers.pick(lane).worker, large);

  WorkerTable equals(0);
  equals.open(1, 1, f);
  equals.open(2, 1, f);
  const auto first = equals.pick(0).worker;
  EXPECT_NE(equals.pick(0).worker, first) << "idle equals take turns";
}

TEST(WorkerTable, AStalledWorkerHasNoRoom) {
  WorkerTable workers(0);
  const base::FunctionId f[] = {{1}};
  const std::uint32_t first = workers.open(10, 2, f);
  const std::uint32_t lane = workers.lane_of({1});
  workers.set_stalled(first, true);
  EXPECT_FALSE(workers.can_run(lane));
  EXPECT_EQ(workers.pick(lane).worker, WorkerTable::kNone);
  const std::uint32_t second = workers.open(20, 1, f);
  EXPECT_EQ(workers.pick(lane).worker, second);
  workers.close(first);
  EXPECT_EQ(workers.open(30, 2, f), first);
  workers.occupy(second, false);
  EXPECT_EQ(workers.pick(lane).worker, first) << "whoever gets its place is not stalled";
}

TEST(WorkerTable, WhoOwesNothingIsNotHeldUpByThoseWhoDo) {
  WorkerTable workers(4);
  const base::FunctionId f[] = {{1}};
  const base::FunctionId g[] = {{2}};
  const std::uint32_t owing = workers.open(1, 1, f);
  const std::uint32_t honest = workers.open(2, 1, g);
  for (int i = 0; i < 5; ++i) workers.owe(owing);
  workers.owe(honest);
  EXPECT_FALSE(workers.can_run(workers.lane_of({2})));
  workers.settle_owed(honest);
  EXPECT_TRUE(workers.can_run(workers.lane_of({2})));
  EXPECT_FALSE(workers.can_run(workers.lane_of({1})));
}

TEST(WorkerTable, FunctionsThatWaitHaveSlotsOfTheirOwn) {
  WorkerTable workers(0);
  const std::vector<base::FunctionId> functions = {{1}, {2}};
  const std::uint32_t worker = workers.open(10, {1, 3}, functions, {false, true});
  const std::uint32_t computing = workers.lane_of({1});
  const std::uint32_t waiting = workers.lane_of({2});
  EXPECT_EQ(workers.slots(), 1U) << "a load is measured by what computes";
  workers.occupy(worker, false);
  EXPECT_FALSE(workers.can_run(computing));
  for (int i = 0; i < 3; ++i) {
    const auto pick = workers.pick(waiting);
    ASSERT_EQ(pick.worker, worker);
    EXPECT_TRUE(pick.is_task);
    workers.occupy(worker, pick.is_task);
  }
  EXPECT_FALSE(workers.can_run(waiting));
  EXPECT_EQ(workers.busy(), 1U);
  EXPECT_EQ(workers.busy_in_all(), 4U);
}

TEST(WorkerTable, ClosingReportsTheLanesThatNobodyOffersAnyMore) {
  WorkerTable workers(0);
  const base::FunctionId both[] = {{1}, {2}};
  const base::FunctionId one[] = {{2}};
  const std::uint32_t first = workers.open(10, 2, both);
  workers.open(20, 3, one);
  const std::uint32_t orphan = workers.lane_of({1});
  workers.occupy(first, false);
  EXPECT_EQ(workers.close(first), std::vector<std::uint32_t>{orphan});
  EXPECT_EQ(workers.lane_of({1}), WorkerTable::kNone);
  EXPECT_NE(workers.lane_of({2}), WorkerTable::kNone);
  EXPECT_EQ(workers.slots(), 3U);
  EXPECT_EQ(workers.busy(), 0U);
  EXPECT_EQ(workers.find(10), WorkerTable::kNone);
  workers.release_lane(orphan);
  workers.open(30, 1, both);
  EXPECT_EQ(workers.lane_of({1}), orphan) << "reused";
}

TEST(AttemptMemory, RemembersTheLatestAnsweredAttemptOfATask) {
  AttemptMemory memory;
  constexpr std::uint32_t kHash = 0x12345678;
  AttemptKey key{.origin = NodeIndex{3}, .attempt = 2, .origin_life = {{9}, 1}, .sequence = 77};
  EXPECT_FALSE(memory.is_answered(key, kHash));
  memory.remember(key, kHash);
  EXPECT_TRUE(memory.is_answered(key, kHash));
  key.attempt = 1;
  EXPECT_TRUE(memory.is_answered(key, kHash)) << "an older attempt";
  key.attempt = 3;
  EXPECT_FALSE(memory.is_answered(key, kHash));
  key = {.origin = NodeIndex{3}, .attempt = 2, .origin_life = {{9}, 2}, .sequence = 77};
  EXPECT_FALSE(memory.is_answered(key, kHash)) << "another life's task";
}

}  // namespace
}  // namespace kaido::daemon
