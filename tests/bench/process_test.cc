#include "tests/bench/process.h"

#include <time.h>

#include <gtest/gtest.h>

#include <thread>

namespace kaido::bench {
namespace {

double thread_cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

TEST(CpuTime, ThatOfThreadsThatHaveEndedCounts) {
  constexpr double kBurnt = 0.02;
  const double before = cpu_seconds_of(0);
  std::thread([] {
    while (thread_cpu_seconds() < kBurnt) {
    }
  }).join();
  EXPECT_GE(cpu_seconds_of(0) - before, kBurnt);
}

TEST(CpuTime, AChildsIsItsOwn) {
  Process child({"/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; read line"});
  ASSERT_EQ(child.read_line(), "done");
  const double used = child.cpu_seconds();
  EXPECT_GT(used, 0.001);
  EXPECT_LE(child.cpu_seconds() - used, 1) << "it only waits";
}

TEST(Memory, ThePeakIsForgottenWhenAsked) {
  // The shell's one variable holds 20 MB for a moment.
  Process child(
      {"/bin/sh", "-c",
       "text=$(head -c 20000000 /dev/zero | tr '\\0' x); text=; echo grown; read line; echo still; read line"});
  ASSERT_EQ(child.read_line(), "grown");
  const double peak = child.peak_resident_megabytes();
  EXPECT_GT(peak, 15);
  child.forget_peak();
  EXPECT_LE(child.peak_resident_megabytes(), peak);
  EXPECT_GE(child.peak_resident_megabytes() + 0.5, child.resident_megabytes());
}

}  // namespace
}  // namespace kaido::bench
