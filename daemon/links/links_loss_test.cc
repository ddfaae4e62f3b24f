// Who is lost while his large result is on its way to its caller: the call is repeated elsewhere, or told.
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "daemon/links/links_fixture.h"
#include "proto/base/time.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {
namespace {

constexpr std::size_t kMiB = 1U << 20;
constexpr std::size_t kResultBytes = 10 * kMiB;
constexpr std::size_t kHalfway = 3 * kMiB;

using Status = wire::Outcome;

class LossTest : public LinksTest {
 protected:
  /// Another app that offers the function.
  std::unique_ptr<LinkedApp> add_worker(const std::string& node, const std::string& name) {
    auto added = std::make_unique<LinkedApp>(loop, transport, node + ".apps", name);
    EXPECT_TRUE(until([&] { return added->is_welcome; }));
    added->offer();
    EXPECT_TRUE(until([&] { return added->is_registered; }));
    return added;
  }
  [[nodiscard]] static std::string result_of(const LinkedApp& from) {
    return std::string(kResultBytes, from.name()[0]);
  }
  void answer(LinkedApp& from) {
    from.say(FrameKind::kResult, {}, 0, from.received.back().header.call_id, result_of(from));
  }
  /// The client has got so much of the result of `from`, and reads no more.
  void answer_halfway(LinkedApp& from) {
    ASSERT_TRUE(until([&] { return from.received.size() == 1; }));
    EXPECT_EQ(from.received[0].payload, "arguments");
    answer(from);
    ASSERT_TRUE(until([&] { return client.connection->stats().bytes_in > kHalfway; }));
    client.connection->pause_reading();
    ASSERT_TRUE(is_delivering());
  }
  void expect_result_of(LinkedApp& other) {
    client.connection->resume_reading();
    ASSERT_TRUE(until([&] { return other.received.size() == 1; }));
    EXPECT_EQ(other.received[0].payload, "arguments");
    EXPECT_EQ(other.received[0].header.attempt(), 2U);
    answer(other);
    ASSERT_TRUE(until([&] { return !client.received.empty(); }));
    EXPECT_EQ(client.received[0].header.template_or_status, 0U) << client.received[0].error;
    EXPECT_TRUE(client.received[0].payload == result_of(other)) << client.received[0].payload.size();
    EXPECT_EQ(client.failures.size(), 1U) << "what had come of the first one";
    expect_nothing_left();
  }
  void expect_error(Status outcome, const std::string& words) {
    client.connection->resume_reading();
    ASSERT_TRUE(until([&] { return !client.received.empty(); }));
    EXPECT_EQ(client.received[0].header.template_or_status, static_cast<std::uint32_t>(outcome));
    EXPECT_NE(client.received[0].error.find(words), std::string::npos) << client.received[0].error;
    expect_nothing_left();
  }
  void expect_nothing_left() {
    EXPECT_EQ(client.received.size(), 1U);
    EXPECT_EQ(a.machine.tasks().ledger().task_count(), 0U);
    EXPECT_EQ(a.machine.tasks().ledger().kept_bytes(), 0U);
    EXPECT_EQ(calls_in_flight(), 0U);
  }
  [[nodiscard]] std::uint32_t calls_in_flight() const {
    std::uint32_t calls = 0;
    for (const AppSummary& app : a.machine.apps().list()) calls += app.calls_in_flight;
    return calls;
  }
};

// Two attempts are all, and there is no other node: the second must not go to the worker that has just died.
TEST_F(LossTest, AWorkerOfThisNodeDiesHalfway) {
  b.reset();
  ASSERT_TRUE(until([&] { return a.machine.peers().counters().nodes_lost == 1; }));
  const auto first = add_worker("a", "1st");
  client.call(1, "arguments", 2);
  ASSERT_TRUE(until([&] { return first->received.size() == 1; }));
  const auto second = add_worker("a", "2nd");
  answer_halfway(*first);
  first->die();
  expect_result_of(*second);
}

TEST_F(LossTest, AWorkerOfAnotherNodeDiesHalfway) {
  client.call(1, "arguments", 2);
  ASSERT_TRUE(until([&] { return worker.received.size() == 1; }));
  const auto other = add_worker("a", "other");
  answer_halfway(worker);
  worker.die();
  expect_result_of(*other);
}

TEST_F(LossTest, TheOtherNodeDiesHalfway) {
  client.call(1, "arguments", 2);
  ASSERT_TRUE(until([&] { return worker.received.size() == 1; }));
  const auto other = add_worker("a", "other");
  answer_halfway(worker);
  b.reset();
  expect_result_of(*other);
}

TEST_F(LossTest, WhatMayNotBeRepeatedEndsWithAnErrorThatSaysWhoWasLost) {
  const auto first = add_worker("a", "1st");
  client.call(1, "arguments");
  answer_halfway(*first);
  first->die();
  expect_error(Status::kAppLost, "the result of 10485760 bytes did not all come: the connection");
}

TEST_F(LossTest, AWorkerOfAnotherNodeIsAnAppThatWasLost) {
  client.call(1, "arguments");
  answer_halfway(worker);
  worker.die();
  expect_error(Status::kAppLost, "the result of 10485760 bytes did not all come: its sender gave it up");
}

TEST_F(LossTest, AnotherNodeIsANodeThatWasLost) {
  client.call(1, "arguments");
  answer_halfway(worker);
  b.reset();
  expect_error(Status::kNodeLost, "the result of 10485760 bytes did not all come: the connection");
}

// Half of the result has come; the call is still in flight, and its arguments are still kept.
TEST_F(LossTest, TheCallersSessionClosesHalfway) {
  client.call(1, "arguments", 2);
  answer_halfway(worker);
  EXPECT_EQ(calls_in_flight(), 1U);
  EXPECT_GT(a.machine.tasks().ledger().kept_bytes(), 0U);
  client.die();
  ASSERT_TRUE(until([&] { return a.machine.tasks().ledger().task_count() == 0; }));
  EXPECT_EQ(a.machine.tasks().ledger().kept_bytes(), 0U);
  ASSERT_TRUE(until([&] { return worker.connection->streams_out() == 0; })) << "nobody wants the rest";
}

TEST_F(LossTest, AnAppThatKnowsNoSecondResultGetsNone) {
  LinkedApp old(loop, transport, "a.apps", "old");
  old.features = 0;
  ASSERT_TRUE(until([&] { return old.is_welcome; }));
  old.call(1, "arguments", 2);
  ASSERT_TRUE(until([&] { return worker.received.size() == 1; }));
  answer(worker);
  ASSERT_TRUE(until([&] { return old.connection->stats().bytes_in > kHalfway; }));
  worker.die();
  ASSERT_TRUE(until([&] { return old.failures.size() == 1; }));
  ASSERT_TRUE(until([&] { return a.machine.tasks().ledger().task_count() == 0; }));
  EXPECT_TRUE(old.received.empty());
  EXPECT_EQ(calls_in_flight(), 0U);
}

}  // namespace
}  // namespace kaido::daemon
