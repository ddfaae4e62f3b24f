#include "daemon/telemetry/log_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace kaido::daemon {
namespace {

std::string gap(std::uint64_t dropped) { return "-" + std::to_string(dropped) + "\n"; }

LogQueue queue_of(LogQueueBounds bounds) { return LogQueue(gap, bounds); }

TEST(LogQueue, GivesLinesInTheirOrderAndNothingTwice) {
  LogQueue queue = queue_of({});
  queue.push("a\n");
  queue.push("b\n");
  const LogQueue::Batch batch = queue.take();
  EXPECT_EQ(batch.text, "a\nb\n");
  EXPECT_EQ(queue.take().text, "");
  queue.written(batch);
  EXPECT_EQ(queue.counters().written, 2U);
  EXPECT_EQ(queue.counters().dropped, 0U);
}

TEST(LogQueue, DropsTheNewestWhenItHasItsLines) {
  LogQueue queue = queue_of({.lines = 2});
  for (const char* line : {"a\n", "b\n", "c\n", "d\n"}) queue.push(line);
  EXPECT_EQ(queue.counters().dropped, 2U);
  // Even if no line ever follows.
  EXPECT_EQ(queue.take().text, "a\nb\n-2\n");
}

TEST(LogQueue, DropsWhatWouldExceedItsBytes) {
  LogQueue queue = queue_of({.bytes = 10});
  queue.push("12345678\n");
  queue.push("x\n");
  EXPECT_EQ(queue.counters().dropped, 1U);
  (void)queue.take();
  queue.push("x\n");
  EXPECT_EQ(queue.take().text, "x\n");
}

TEST(LogQueue, TakesALineAloneWhateverItsSize) {
  LogQueue queue = queue_of({.bytes = 2, .batch_bytes = 2});
  queue.push("larger than all bounds\n");
  EXPECT_EQ(queue.take().text, "larger than all bounds\n");
}

TEST(LogQueue, SaysWhereLinesAreMissingAndHowMany) {
  LogQueue queue = queue_of({.lines = 2, .batch_bytes = 2});
  for (const char* line : {"a\n", "b\n", "lost\n", "lost\n"}) queue.push(line);
  EXPECT_EQ(queue.take().text, "a\n");
  queue.push("c\n");
  queue.push("lost\n");
  EXPECT_EQ(queue.take().text, "b\n");
  EXPECT_EQ(queue.take().text, "-2\nc\n-1\n");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.counters().dropped, 3U);
}

TEST(LogQueue, ABatchIsBounded) {
  LogQueue queue = queue_of({.batch_bytes = 5});
  for (const char* line : {"a\n", "b\n", "c\n"}) queue.push(line);
  EXPECT_EQ(queue.take().text, "a\nb\n");
  EXPECT_EQ(queue.take().text, "c\n");
}

TEST(LogQueue, WhatTheSinkRefusedIsMissingToo) {
  LogQueue queue = queue_of({.lines = 1});
  queue.push("a\n");
  queue.push("full\n");
  queue.lost(queue.take());
  EXPECT_EQ(queue.counters().dropped, 2U);
  EXPECT_TRUE(queue.empty()) << "a sink that refuses everything must not keep the writer busy";
  queue.push("b\n");
  const LogQueue::Batch batch = queue.take();
  EXPECT_EQ(batch.text, "-2\nb\n");
  queue.push("c\n");
  queue.lost(batch);
  EXPECT_EQ(queue.take().text, "-3\nc\n");
  EXPECT_EQ(queue.counters().dropped, 3U);
}

}  // namespace
}  // namespace kaido::daemon
