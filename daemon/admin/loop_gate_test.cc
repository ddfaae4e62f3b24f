#include "daemon/admin/loop_gate.h"

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;
using Functions = std::vector<std::function<void()>>;

constexpr auto kNoTime = 0ns;
constexpr auto kPlenty = 60s;

TEST(LoopGate, ReturnsTheAnswer) {
  const auto gate = std::make_shared<LoopGate>([](std::function<void()> run) { run(); });
  const auto answer = gate->ask<std::string>(kPlenty, [](const auto& done) { done(std::string("yes")); });
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(*answer, "yes");
}

TEST(LoopGate, TakesTheFirstOfTwoAnswers) {
  const auto gate = std::make_shared<LoopGate>([](std::function<void()> run) { run(); });
  const auto answer = gate->ask<int>(kPlenty, [](const auto& done) {
    done(1);
    done(absl::NotFoundError("late"));
  });
  EXPECT_EQ(*answer, 1);
}

TEST(LoopGate, GivesUpWhenTheLoopDoesNotAnswerAndDropsTheLateAnswer) {
  Functions posted;
  const auto gate = std::make_shared<LoopGate>([&](std::function<void()> run) { posted.push_back(std::move(run)); });
  const auto answer = gate->ask<int>(kNoTime, [](const auto& done) { done(1); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status()));
  ASSERT_EQ(posted.size(), 1u);
  posted[0]();
}

TEST(LoopGate, ClosingWakesWhoWaitsAndRunsNoQuestionAnyMore) {
  Functions posted;
  std::promise<void> asked;
  const auto gate = std::make_shared<LoopGate>([&](std::function<void()> run) {
    posted.push_back(std::move(run));
    asked.set_value();
  });
  bool was_run = false;
  base::StatusOr<int> answer = 0;
  std::thread asker([&] { answer = gate->ask<int>(kPlenty, [&](const auto&) { was_run = true; }); });
  asked.get_future().wait();
  gate->close();
  asker.join();
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
  posted[0]();
  EXPECT_FALSE(was_run);
}

TEST(LoopGate, AnAnswerThatNobodyWaitsForIsNotAwaited) {
  const auto gate = std::make_shared<LoopGate>([](const std::function<void()>&) {});
  const auto answer = gate->ask<int>(std::chrono::hours(1), [](const LoopGate::Answer<int>&) {}, [] { return true; });
  EXPECT_TRUE(absl::IsCancelled(answer.status())) << answer.status();
}

TEST(LoopGate, OrdersAreRunUnlessItIsClosed) {
  const auto gate = std::make_shared<LoopGate>([](const std::function<void()>& run) { run(); });
  int told = 0;
  gate->tell([&] { ++told; });
  gate->close();
  gate->tell([&] { ++told; });
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace kaido::daemon
