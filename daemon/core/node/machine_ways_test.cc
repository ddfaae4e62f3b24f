// A call that starts at once has one record, one that waited for its slot has two. Nobody is to notice.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "daemon/core/node/machine_fixture.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

/// One node, and call 1 at its worker, which has one slot.
struct Story {
  explicit Story(bool waits_first) {
    worker.answers_at_once = false;
    world.settle();
    if (waits_first) {
      client.call(99, spec_for("f"));
      world.settle();
    }
    client.call(1, spec_for("f"), "x", 10s);
    world.settle();
    if (waits_first) {
      worker.answer(worker.work.at(0));
      world.settle();
    }
    before = counted();
  }

  [[nodiscard]] std::map<std::string, std::uint64_t> counted() const {
    const LedgerCounters& tasks = node.machine->tasks().ledger().counters();
    const ExecutorCounters& attempts = node.machine->tasks().executor().counters();
    std::map<std::string, std::uint64_t> all{{"cancelled", attempts.cancelled},
                                             {"abandoned", tasks.abandoned},
                                             {"late", attempts.late_results_dropped},
                                             {"tasks measured", node.machine->tasks().durations().task.count()},
                                             {"runs measured", node.machine->tasks().durations().run.count()}};
    for (std::size_t outcome = 0; outcome < wire::kOutcomeCount; ++outcome) {
      all["delivered " + std::to_string(outcome)] = tasks.delivered[outcome];
      all["finished " + std::to_string(outcome)] = attempts.finished[outcome];
    }
    return all;
  }

  /// All that anybody can see of it, in lines.
  [[nodiscard]] std::string told() const {
    const TaskFlow& tasks = node.machine->tasks();
    std::string text = "result: " + client.result(1) + "\n2: " + client.result(2) +
                       "\ncancels: " + std::to_string(worker.cancelled.size()) +
                       "\nbusy: " + std::to_string(tasks.executor().load().busy) +
                       "\nrunning: " + std::to_string(tasks.executor().running_count()) +
                       "\ntasks: " + std::to_string(tasks.ledger().task_count()) +
                       "\nlisted: " + std::to_string(tasks.tasks(world.now, 10).size()) +
                       "\nin flight here: " + std::to_string(tasks.in_flight(kSelf)) +
                       "\nidle: " + std::to_string(static_cast<int>(tasks.is_idle()));
    for (const auto& [name, count] : counted()) text += "\n" + name + ": " + std::to_string(count - before.at(name));
    return text;
  }

  [[nodiscard]] TestApp::Work work() const { return worker.work.back(); }

  World world;
  TestNode& node = world.start({.name = "a", .number = 1});
  TestApp& worker = world.worker(node, "worker", 1);
  TestApp& client = world.app(node, "client");
  std::map<std::string, std::uint64_t> before;
};

void expect_same(const std::string& what, const std::function<void(Story&)>& event) {
  std::string told[2];
  for (const bool waits_first : {false, true}) {
    Story story(waits_first);
    ASSERT_EQ(story.worker.work.size(), waits_first ? 2U : 1U);
    ASSERT_EQ(LocalCalls::owns(story.work().call), !waits_first) << "the two ways are taken";
    event(story);
    story.world.settle();
    told[waits_first] = story.told();
  }
  EXPECT_EQ(told[false], told[true]) << what;
}

TEST(MachineWays, AnAnswerIsTheSameOnBoth) {
  expect_same("success", [](Story& story) { story.worker.answer(story.work()); });
  expect_same("failure", [](Story& story) {
    story.worker.say(wire::FrameKind::kResult, {}, {}, static_cast<std::uint32_t>(wire::Outcome::kPanicked),
                     story.work().call);
  });
  expect_same("two answers", [](Story& story) {
    story.worker.answer(story.work());
    story.worker.answer(story.work(), "another");
  });
}

TEST(MachineWays, GivingUpIsTheSameOnBoth) {
  const auto cancel = [](Story& story) {
    story.client.say(wire::FrameKind::kCancel, {}, {}, 0, 1);
    story.world.settle();
  };
  expect_same("cancel", cancel);
  expect_same("cancel, and then the answer", [&](Story& story) {
    cancel(story);
    story.worker.answer(story.work());
  });
  expect_same("cancel, and then the deadline", [&](Story& story) {
    cancel(story);
    story.world.run_for(11s);
  });
  expect_same("cancel, and then the worker's end", [&](Story& story) {
    cancel(story);
    story.worker.close();
  });
  expect_same("cancel, and the next call waits for the slot", [&](Story& story) {
    cancel(story);
    story.client.call(2, spec_for("f"));
    story.world.settle();
    EXPECT_EQ(story.node.machine->tasks().executor().queued_count(), 1U);
    story.worker.answer(story.work());
    story.world.settle();
    story.worker.answer(story.work());
  });
  expect_same("deadline", [](Story& story) { story.world.run_for(11s); });
  expect_same("deadline, and then the answer", [](Story& story) {
    story.world.run_for(11s);
    story.worker.answer(story.work());
  });
  expect_same("the client's end", [](Story& story) { story.client.close(); });
  expect_same("the client's end, and then the answer", [](Story& story) {
    story.client.close();
    story.world.settle();
    story.worker.answer(story.work());
  });
}

TEST(MachineWays, TheWorkersEndIsTheSameOnBoth) {
  expect_same("the worker's end", [](Story& story) { story.worker.close(); });
  expect_same("a call id of its own again", [](Story& story) {
    story.worker.close();
    story.world.settle();
    story.client.call(2, spec_for("f"));
  });
}

TEST(MachineWays, WaitingForACallOfItsOwnIsTheSameOnBoth) {
  expect_same("yields and resumes", [](Story& story) {
    const auto first = story.work();
    story.worker.say(wire::FrameKind::kYield, {}, {}, 0, first.call);
    story.world.settle();
    EXPECT_EQ(story.node.machine->tasks().executor().load().busy, 0U);
    story.client.call(2, spec_for("f"));
    story.world.settle();
    story.worker.answer(story.work(), "the second");
    story.worker.say(wire::FrameKind::kResume, {}, {}, 0, first.call);
    story.world.settle();
    EXPECT_EQ(story.node.machine->tasks().executor().load().busy, 1U);
    story.worker.answer(first);
  });
}

TEST(MachineWays, ACallIdInUseIsAViolationOnBoth) {
  expect_same("twice", [](Story& story) {
    story.client.call(1, spec_for("f"));
    story.world.settle();
    EXPECT_TRUE(story.client.is_closed);
  });
}

TEST(MachineWays, ADrainIsTheSameOnBoth) {
  expect_same("runs to its end", [](Story& story) {
    story.node.machine->drain(story.world.now, story.world.now + 5s, "test");
    story.world.settle();
    EXPECT_FALSE(story.node.machine->tasks().is_idle());
    story.worker.answer(story.work());
  });
  expect_same("is ended", [](Story& story) {
    story.node.machine->drain(story.world.now, story.world.now + 5s, "test");
    story.world.run_for(6s);
    EXPECT_TRUE(story.node.machine->tasks().is_idle());
  });
}

}  // namespace
}  // namespace kaido::daemon
