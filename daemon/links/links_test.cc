// What the shell does with large payloads when the machine exchanges a link.
#include "daemon/links/links.h"

#include <string>

#include <gtest/gtest.h>

#include "daemon/links/links_fixture.h"
#include "proto/base/time.h"

namespace kaido::daemon {
namespace {

// The worker does not read for longer than a connection that is told to close would wait.
TEST_F(LinksTest, ArgumentsThatAreUnderWayWhenTheLinkIsReplacedArriveWhole) {
  worker.connection->pause_reading();
  const std::string arguments(16U << 20, 'x');
  client.call(1, arguments);
  ASSERT_TRUE(until([&] { return b->machine.tasks().load().busy == 1; }));
  replace_link();
  EXPECT_EQ(links_of_b(), 2U);
  client.call(2, "small");  // by the new link
  const base::Instant resumes = loop.now() + std::chrono::milliseconds(1500);
  ASSERT_TRUE(until([&] { return loop.now() >= resumes; }));
  EXPECT_TRUE(client.received.empty()) << client.received[0].payload;
  worker.connection->resume_reading();
  ASSERT_TRUE(until([&] { return worker.received.size() == 2; }));
  for (const LinkedApp::Received& call : worker.received) {
    EXPECT_TRUE(call.payload == "small" || call.payload == arguments) << call.payload.size();
    worker.say(FrameKind::kResult, {}, 0, call.header.call_id, "42");
  }
  ASSERT_TRUE(until([&] { return client.received.size() == 2; }));
  for (const LinkedApp::Received& result : client.received) EXPECT_EQ(result.payload, "42");
  ASSERT_TRUE(until([&] { return links_of_b() == 1; })) << "the former link ends when its work is done";
  EXPECT_EQ(a.machine.peers().counters().nodes_lost, 0U);
  EXPECT_EQ(a.machine.peers().counters().lost_closed + b->machine.peers().counters().lost_closed, 0U);
}

TEST_F(LinksTest, AResultThatIsUnderWayWhenTheLinkIsReplacedArrivesWhole) {
  client.call(1, "small");
  ASSERT_TRUE(until([&] { return worker.received.size() == 1; }));
  client.connection->pause_reading();
  const std::string result(16U << 20, 'y');
  worker.say(FrameKind::kResult, {}, 0, worker.received[0].header.call_id, result);
  ASSERT_TRUE(until([&] { return is_delivering(); }));
  replace_link();
  const base::Instant resumes = loop.now() + std::chrono::milliseconds(1500);
  ASSERT_TRUE(until([&] { return loop.now() >= resumes; }));
  client.connection->resume_reading();
  ASSERT_TRUE(until([&] { return client.received.size() == 1; }));
  EXPECT_EQ(client.received[0].payload, result);
  EXPECT_EQ(a.machine.tasks().ledger().task_count(), 0U);
  ASSERT_TRUE(until([&] { return links_of_b() == 1; }));
}

}  // namespace
}  // namespace kaido::daemon
