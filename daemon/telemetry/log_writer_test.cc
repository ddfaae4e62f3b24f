/// The writer thread with real pipes: what it promises while a sink stalls, fails, and flows again.
#include "daemon/telemetry/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace kaido::daemon {
namespace {

/// More than a pipe holds: whoever writes it waits for a reader.
constexpr std::size_t kMoreThanAPipe = 200'000;

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close_reading();
    close_writing();
  }
  void close_reading() {
    if (ends[0] >= 0) ::close(ends[0]);
    ends[0] = -1;
  }
  void close_writing() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
  /// Until the end, or until there are `at_least` bytes.
  std::string read(std::size_t at_least = SIZE_MAX) const {
    std::string text;
    std::array<char, 4096> buffer;
    while (text.size() < at_least) {
      const ssize_t size = ::read(ends[0], buffer.data(), buffer.size());
      if (size <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return text;
  }
  std::array<int, 2> ends{-1, -1};
};

std::string gap(std::uint64_t dropped) { return "-" + std::to_string(dropped) + "\n"; }

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

std::uint64_t told_missing(const std::string& text) {
  std::uint64_t sum = 0;
  for (auto at = text.find('-'); at != std::string::npos; at = text.find('-', at + 1)) {
    sum += std::strtoull(text.c_str() + at + 1, nullptr, 10);
  }
  return sum;
}

TEST(LogWriter, WritesOutEverythingBeforeItEnds) {
  Pipe pipe;
  {
    LogWriter writer(pipe.ends[1], LogQueue(gap));
    for (int i = 0; i < 1000; ++i) writer.push("line\n");
  }
  pipe.close_writing();
  EXPECT_EQ(count(pipe.read(), "line\n"), 1000U);
}

TEST(LogWriter, AStalledSinkCostsLinesAndSaysSoWhenItFlows) {
  constexpr int kLines = 50;
  Pipe pipe;
  std::string text;
  std::thread reader;
  LogCounters stalled;
  {
    LogWriter writer(pipe.ends[1], LogQueue(gap, {.lines = 4}), std::chrono::minutes(1));
    const std::string line = std::string(kMoreThanAPipe, 'x') + "\n";
    for (int i = 0; i < kLines; ++i) writer.push(line);  // returns, though nobody reads
    stalled = writer.counters();
    EXPECT_EQ(stalled.written, 0U);
    EXPECT_GE(stalled.dropped, kLines - 8U);  // four in the queue, at most four being written
    reader = std::thread([&] { text = pipe.read(); });
  }
  pipe.close_writing();
  reader.join();
  EXPECT_EQ(count(text, "x\n"), kLines - stalled.dropped);
  EXPECT_EQ(told_missing(text), stalled.dropped);
}

TEST(LogWriter, ASinkThatNeverFlowsDoesNotKeepTheProcess) {
  Pipe pipe;
  const std::string line = std::string(kMoreThanAPipe, 'x') + "\n";
  {
    LogWriter writer(pipe.ends[1], LogQueue(gap), std::chrono::milliseconds(1));
    writer.push(line);
    pollfd begun{.fd = pipe.ends[0], .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&begun, 1, -1), 1);  // the thread is in its write now, and cannot finish it
  }
  // Reached, though nobody has read; the thread ends with the write it is in.
  EXPECT_EQ(pipe.read(line.size()), line);
}

TEST(LogWriter, ManyThreadsMayLog) {
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  Pipe pipe;
  std::string text;
  std::thread reader([&] { text = pipe.read(); });
  LogCounters counters;
  {
    LogWriter writer(pipe.ends[1], LogQueue(gap));
    std::array<std::thread, kThreads> threads;
    for (std::thread& thread : threads) {
      thread = std::thread([&] {
        for (int i = 0; i < kLines; ++i) writer.push("line\n");
      });
    }
    for (std::thread& thread : threads) thread.join();
    counters = writer.counters();
  }
  pipe.close_writing();
  reader.join();
  EXPECT_EQ(count(text, "line\n") + counters.dropped, std::size_t{kThreads * kLines});
}

TEST(LogWriter, ASinkThatTakesNothingIsCounted) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.close_reading();
  LogWriter writer(pipe.ends[1], LogQueue(gap));
  writer.push("into nowhere\n");
  while (writer.counters().dropped == 0) std::this_thread::yield();
  EXPECT_EQ(writer.counters().written, 0U);
}

TEST(LogWriter, ANonBlockingSinkLosesNothing) {
  Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.ends[1], F_SETFL, O_NONBLOCK), 0);
  std::string text;
  std::thread reader([&] { text = pipe.read(); });
  const std::string line = std::string(kMoreThanAPipe, 'x') + "\n";
  {
    LogWriter writer(pipe.ends[1], LogQueue(gap), std::chrono::minutes(1));
    writer.push(line);
  }
  pipe.close_writing();
  reader.join();
  EXPECT_EQ(text, line);
}

}  // namespace
}  // namespace kaido::daemon
