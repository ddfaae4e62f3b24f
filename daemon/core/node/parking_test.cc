// What waits for a link: order, bounds, and what is never sent.
#include "daemon/core/node/parking.h"

#include <string>

#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/wire/frame.h"

namespace kaido::daemon {
namespace {

Payload bytes(std::size_t count) { return Payload::copy_of(wire::as_span(std::string(count, 'x'))); }

PeerAttempt attempt(std::uint64_t sequence, std::size_t size = 0) {
  PeerAttempt made;
  made.sequence = sequence;
  made.attempt = 1;
  made.payload = bytes(size);
  return made;
}

PeerResult result(std::uint64_t sequence, std::size_t size = 0) {
  return {sequence, 1, {wire::Outcome::kSucceeded, nullptr, bytes(size)}};
}

std::string text_of(const std::vector<Parking::Item>& items) {
  std::string text;
  for (const Parking::Item& item : items) {
    if (const auto* const one = std::get_if<PeerResult>(&item)) text += " result " + std::to_string(one->sequence);
    if (const auto* const one = std::get_if<PeerRedirect>(&item)) text += " redirect " + std::to_string(one->sequence);
    if (const auto* const one = std::get_if<PeerAttempt>(&item)) text += " attempt " + std::to_string(one->sequence);
    if (const auto* const one = std::get_if<Parking::Cancel>(&item)) text += " cancel " + std::to_string(one->sequence);
  }
  return text;
}

TEST(Parking, GivesBackEverythingInOrderOnce) {
  Parking parking;
  EXPECT_TRUE(parking.add(attempt(1, 10)));
  EXPECT_TRUE(parking.add(result(2, 20)));
  EXPECT_TRUE(parking.add(Parking::Cancel{3, 1}));
  EXPECT_TRUE(parking.add(PeerRedirect{4, 1, {RedirectReason::kQueueFull, {}, bytes(30)}}));
  EXPECT_EQ(parking.bytes(), 60U);
  EXPECT_EQ(text_of(parking.take()), " attempt 1 result 2 cancel 3 redirect 4");
  EXPECT_EQ(parking.size(), 0U);
  EXPECT_EQ(parking.bytes(), 0U);
  EXPECT_EQ(text_of(parking.take()), "");
}

TEST(Parking, WhatWaitsIsTakenFromTheAccountOfItsNodeAndGivenBack) {
  wire::MemoryBudget memory(1U << 20);
  {
    Parking parking(wire::Charge(&memory, {5}, wire::MemoryKind::kAnswers));
    EXPECT_TRUE(parking.add(result(1, 1000)));
    EXPECT_TRUE(parking.add(attempt(2, 500)));
    EXPECT_EQ(memory.used(), 1500U);
    EXPECT_FALSE(parking.add(result(3, 1U << 20))) << "more than there is";
    EXPECT_EQ(parking.size(), 2U);
    EXPECT_TRUE(parking.cancel(2, 1));
    EXPECT_EQ(memory.used(), 1000U);
    EXPECT_EQ(text_of(parking.take()), " result 1");
    EXPECT_EQ(memory.used(), 0U);
    EXPECT_TRUE(parking.add(result(4, 1000)));
  }
  EXPECT_EQ(memory.used(), 0U);
}

TEST(Parking, AttemptsLeaveRoomForTheAnswersThatOthersWaitFor) {
  Parking parking;
  for (std::size_t i = 0; i < Parking::kItemsMax / 2; ++i) ASSERT_TRUE(parking.add(attempt(i)));
  EXPECT_FALSE(parking.add(attempt(9998)));
  EXPECT_FALSE(parking.add(Parking::Cancel{9999, 1}));
  EXPECT_TRUE(parking.add(result(1, Parking::kBytesMax)));
  static_cast<void>(parking.take());
  EXPECT_TRUE(parking.add(attempt(1, Parking::kBytesMax / 2)));
  EXPECT_FALSE(parking.add(attempt(2, 1)));
  EXPECT_TRUE(parking.add(result(2, Parking::kBytesMax / 2)));
}

TEST(Parking, AnAttemptThatIsCancelledNeverLeavesAndMakesRoom) {
  Parking parking;
  EXPECT_TRUE(parking.add(attempt(1, Parking::kBytesMax / 2)));
  EXPECT_FALSE(parking.add(attempt(2, 1))) << "no room";
  EXPECT_FALSE(parking.cancel(1, 2)) << "another attempt of the task";
  EXPECT_FALSE(parking.cancel(7, 1));
  EXPECT_TRUE(parking.cancel(1, 1));
  EXPECT_FALSE(parking.cancel(1, 1));
  EXPECT_TRUE(parking.add(attempt(2, 1)));
  EXPECT_EQ(text_of(parking.take()), " attempt 2");
}

TEST(Parking, AnAnswerIsNoAttemptToBeCancelled) {
  Parking parking;
  EXPECT_TRUE(parking.add(result(1)));
  EXPECT_FALSE(parking.cancel(1, 1));
  EXPECT_EQ(text_of(parking.take()), " result 1");
}

TEST(Parking, OfALostNodeTheAttemptsAreLeft) {
  Parking parking;
  EXPECT_TRUE(parking.add(result(1, 5)));
  EXPECT_TRUE(parking.add(attempt(2, 5)));
  EXPECT_TRUE(parking.add(Parking::Cancel{3, 1}));
  EXPECT_TRUE(parking.add(attempt(4)));
  const std::vector<PeerAttempt> attempts = parking.take_attempts();
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].sequence, 2U);
  EXPECT_EQ(attempts[0].payload.size(), 5U);
  EXPECT_EQ(attempts[1].sequence, 4U);
  EXPECT_EQ(parking.size() + parking.bytes(), 0U);
}

TEST(Parking, IsBoundedInItemsAndInBytesOfErrorsToo) {
  Parking parking;
  for (std::size_t i = 0; i < Parking::kItemsMax; ++i) ASSERT_TRUE(parking.add(result(i)));
  EXPECT_FALSE(parking.add(result(9999)));
  static_cast<void>(parking.take());
  PeerResult failed{
      1, 1, {wire::Outcome::kPanicked, make_error({.message = std::string(Parking::kBytesMax, 'x')}), {}}};
  EXPECT_TRUE(parking.add(failed));
  EXPECT_FALSE(parking.add(result(2, 1)));
  EXPECT_TRUE(parking.add(result(3))) << "of no size";
}

TEST(Parking, WhatIsKeptPinsNoLargeBlock) {
  Parking parking;
  const Payload block = bytes(1U << 20);
  PeerAttempt small = attempt(1);
  small.payload = block.part(0, 10);
  EXPECT_TRUE(parking.add(small));
  EXPECT_FALSE(parking.take_attempts().at(0).payload.shares_block(block));
}

TEST(Parking, CountsItsBytesRightOverRandomSteps) {
  base::Random random(7);
  Parking parking;
  std::vector<std::pair<std::uint64_t, std::size_t>> model;
  for (std::uint64_t step = 1; step <= 3000; ++step) {
    const std::size_t size = random.below(20'000);
    std::size_t sum = 0;
    for (const auto& [sequence, held] : model) sum += held;
    ASSERT_EQ(parking.bytes(), sum);
    ASSERT_EQ(parking.size(), model.size());
    if (random.below(3) != 0) {
      const bool fits = sum + size <= Parking::kBytesMax / 2 && model.size() < Parking::kItemsMax / 2;
      ASSERT_EQ(parking.add(attempt(step, size)), fits);
      if (fits) model.emplace_back(step, size);
    } else if (!model.empty()) {
      const auto victim = model.begin() + random.below(static_cast<std::uint32_t>(model.size()));
      ASSERT_TRUE(parking.cancel(victim->first, 1));
      model.erase(victim);
    }
  }
}

}  // namespace
}  // namespace kaido::daemon
