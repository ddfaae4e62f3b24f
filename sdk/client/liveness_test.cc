#include "sdk/client/liveness.h"

#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

using namespace std::chrono_literals;
using Verdict = Liveness::Verdict;

class LivenessTest : public testing::Test {
 protected:
  LivenessTest() { liveness_.start(now_); }
  /// Goes to the next check, which comes as late as given.
  Verdict check(Liveness::Duration late = 0ns) {
    now_ = liveness_.next_timeout().value() + late;
    return liveness_.handle_timeout(now_);
  }

  Liveness::TimePoint now_{1h};
  Liveness liveness_{1s, 3s};
};

TEST_F(LivenessTest, AsksWhoIsSilentAndGivesItUpWhenNothingComes) {
  const auto began = now_;
  EXPECT_EQ(check(), Verdict::kPing);
  EXPECT_EQ(now_, began + 1s);
  EXPECT_EQ(check(), Verdict::kLost);
  EXPECT_EQ(now_, began + 4s);
}

TEST_F(LivenessTest, AnyByteProvesLife) {
  EXPECT_EQ(check(), Verdict::kPing);
  liveness_.heard(now_ + 2s);
  EXPECT_EQ(check(), Verdict::kPing);  // Silent for a second again, since 2 s after the first ping.
  liveness_.heard(now_ + 3s);
  EXPECT_EQ(check(), Verdict::kFine);
  EXPECT_EQ(*liveness_.next_timeout(), now_ + 1s);
}

TEST_F(LivenessTest, AsksNothingWhileBytesCome) {
  for (int i = 0; i < 10; ++i) {
    liveness_.heard(*liveness_.next_timeout() - 100ms);
    EXPECT_EQ(check(), Verdict::kFine);
  }
}

TEST_F(LivenessTest, WhoStoodStillItselfAsksAgain) {
  EXPECT_EQ(check(), Verdict::kPing);
  EXPECT_EQ(check(1h), Verdict::kPing);
  EXPECT_EQ(check(), Verdict::kLost);
}

TEST_F(LivenessTest, IsSilentBeforeItsTimeAndWhenStopped) {
  EXPECT_EQ(liveness_.handle_timeout(now_ + 999ms), Verdict::kFine);
  liveness_.stop();
  EXPECT_FALSE(liveness_.next_timeout());
  EXPECT_EQ(liveness_.handle_timeout(now_ + 1h), Verdict::kFine);
}

TEST_F(LivenessTest, AnIntervalOfNothingDoesNotSpin) {
  for (const Liveness::Duration odd : {Liveness::Duration(0), Liveness::Duration(-5)}) {
    Liveness eager(odd, odd);
    eager.start(now_);
    EXPECT_EQ(*eager.next_timeout(), now_ + Liveness::kShortest);
  }
}

}  // namespace
}  // namespace kaido::detail
