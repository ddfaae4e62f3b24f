/// What strangers send to each of a daemon's sockets harms nobody else; and how a daemon with work to do stops.
#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <kaido/kaido.h>

#include "tests/integration/apps.h"
#include "tests/integration/functions.h"
#include "tests/support/raw_socket.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cluster.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

using namespace std::chrono_literals;

/// A header of the wire protocol, of this kind, that claims these lengths; nothing follows it.
std::string header(std::uint32_t length, unsigned char kind, unsigned char metadata_length = 0) {
  std::string bytes(64, '\0');
  for (int i = 0; i < 4; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<char>(length >> (8 * i));
  bytes[4] = static_cast<char>(kind);
  bytes[8] = static_cast<char>(metadata_length);
  return bytes;
}

std::string noise(std::size_t size) {
  std::minstd_rand random(42);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

constexpr unsigned char kHello = 1;
constexpr unsigned char kCall = 7;

/// Of what nonsense() gives: the rest is only too short.
constexpr int kBadFrames = 7;

/// What a stranger says and then waits; each must end its connection and nothing else.
std::vector<std::string> nonsense() {
  return {
      noise(100000),
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + std::string(200, '.'),
      header(0xffffffff, kHello),                          // longer than any limit
      header(63, kHello),                                  // shorter than itself
      header(64, kCall),                                   // before the hello
      header(64, 200),                                     // a kind that nobody knows
      header(64 + 8, kHello, 8) + std::string(8, '\xff'),  // metadata that is no message
      header(64 + 1000, kHello) + std::string(500, 'x'),   // half a frame
      header(64, kHello).substr(0, 10),                    // half a header
      "",                                                  // silence
  };
}

/// b's worker is called from a all the time, while strangers talk to both daemons.
class Abuse : public ::testing::Test {
 protected:
  Abuse() {
    EXPECT_TRUE(cluster.settle());
    traffic_ = client.runtime().spawn([this] { return keep_calling(); });
  }
  ~Abuse() override {
    is_over_ = true;
    const auto failures = client.wait(traffic_);
    EXPECT_TRUE(failures.ok() && *failures == 0) << "calls of another app failed";
    EXPECT_GT(calls_.load(), 0);
  }

  static NodeSpec spec(const char* name) {
    NodeSpec spec(name);
    spec.timeout("handshake", "300ms");
    return spec;
  }
  /// That the calls go on: some that began after now have ended.
  void expect_calls_go_on() {
    const int before = calls_;
    EXPECT_TRUE(wait_until([&] { return calls_ > before + 5; }));
  }

  TestCluster cluster{{spec("a"), spec("b")}};
  std::unique_ptr<App> worker = App::worker(cluster["b"]);
  Client client{cluster["a"]};

 private:
  Task<int> keep_calling() {
    int failures = 0;
    while (!is_over_) {
      auto text = co_await client.remote<&echo>().on_node("b").call("still there");
      if (!text.ok()) ADD_FAILURE() << text.error();
      if (!text.ok()) ++failures;
      ++calls_;
    }
    co_return failures;
  }

  std::atomic<bool> is_over_{false};
  std::atomic<int> calls_{0};
  JoinHandle<int> traffic_;
};

TEST_F(Abuse, OfTheAppSocketEndsThatConnectionOnly) {
  for (const std::string& bytes : nonsense()) {
    RawSocket socket = RawSocket::connect_unix(cluster["a"].app_socket());
    ASSERT_TRUE(socket.is_connected());
    socket.write(bytes);
    EXPECT_TRUE(socket.is_closed_by_peer());
  }
  const double refused = static_cast<double>(nonsense().size());
  EXPECT_TRUE(wait_until([&] {
    return cluster["a"].metric("kaido_api_apps_refused_total{reason=\"handshake\"}") == refused;
  })) << cluster["a"].metric("kaido_api_apps_refused_total{reason=\"handshake\"}");
  EXPECT_EQ(cluster["a"].metric("kaido_net_bad_frames_total{link=\"app\"}"), kBadFrames);
  expect_calls_go_on();
}

TEST_F(Abuse, OfThePeerPortEndsThatConnectionOnly) {
  for (const std::string& bytes : nonsense()) {
    RawSocket socket = RawSocket::connect_tcp(cluster["a"].peer_port());
    ASSERT_TRUE(socket.is_connected());
    socket.write(bytes);
    EXPECT_TRUE(socket.is_closed_by_peer());
  }
  EXPECT_TRUE(wait_until([&] {
    return cluster["a"].metric("kaido_net_bad_frames_total{link=\"peer\"}") == kBadFrames;
  })) << cluster["a"].metric("kaido_net_bad_frames_total{link=\"peer\"}");
  EXPECT_EQ(cluster["a"].connected_peers(), 1);
  expect_calls_go_on();
}

TEST_F(Abuse, OfAdminSocketAndHttpHarmsNobody) {
  std::vector<RawSocket> strangers;
  for (const std::string& bytes : nonsense()) {
    for (int admin = 0; admin < 2; ++admin) {
      strangers.push_back(admin != 0 ? RawSocket::connect_unix(cluster["a"].admin_socket())
                                     : RawSocket::connect_tcp(cluster["a"].http_port()));
      ASSERT_TRUE(strangers.back().is_connected());
      strangers.back().write(bytes);
    }
  }
  // While they all are still connected, silent or half-way, both sockets serve others.
  EXPECT_NE(cluster["a"].ctl("status").find("\"state\": \"alive\""), std::string::npos);
  EXPECT_TRUE(cluster["a"].is_ready());
  expect_calls_go_on();
}

TEST_F(Abuse, ByAnAppThatVanishesInTheMiddleOfAFrameIsForgotten) {
  const double apps = cluster["a"].metric("kaido_api_apps");
  for (int i = 0; i < 20; ++i) {
    RawSocket socket = RawSocket::connect_unix(cluster["a"].app_socket());
    socket.write(header(1u << 20, kHello));
  }
  EXPECT_TRUE(wait_until([&] { return cluster["a"].metric("kaido_net_connections{link=\"app\"}") == apps; }));
  expect_calls_go_on();
}

/// One daemon with one worker, and a call that runs until it is released.
class Drain : public ::testing::Test {
 protected:
  void begin() {
    running_ = client.spawn(client.remote<&await_release>().call(journal, folder / "release"));
    ASSERT_TRUE(wait_started(journal));
    cluster["a"].process().send(SIGTERM);
    ASSERT_TRUE(wait_until([&] { return http_get(cluster["a"].http_port(), "/readyz").status == 503; }));
  }

  // A frame of 64 MiB has a header, too.
  TestCluster cluster{{NodeSpec("a").limit("max_frame_bytes", "65MiB")}};
  TempFolder folder;
  const std::string journal = folder / "journal";
  std::unique_ptr<App> worker = App::worker(cluster["a"]);
  Client client{cluster["a"]};
  JoinHandle<std::string> running_;
};

TEST_F(Drain, LetsTheRunningFinishAndRefusesTheNew) {
  begin();
  const auto refused = client.call(client.remote<&where>().call());
  ASSERT_FALSE(refused.ok());
  EXPECT_FALSE(RawSocket::connect_unix(cluster["a"].app_socket()).is_connected());
  static_cast<void>(folder.write("release", ""));
  const auto finished = client.wait(running_);
  ASSERT_TRUE(finished.ok()) << finished.error();
  EXPECT_EQ(*finished, "a");
  EXPECT_EQ(cluster["a"].process().wait(), ExitStatus{});
}

TEST_F(Drain, WaitsForTheLastByteOfALargeResult) {
  constexpr std::size_t kSize = 64U << 20;
  auto running = client.spawn(client.remote<&echo>().call(std::string(kSize, 'x')));
  ASSERT_TRUE(wait_until([&] { return cluster["a"].ctl("tasks").find("kaido::test::echo") != std::string::npos; }));
  cluster["a"].process().send(SIGTERM);
  const auto result = client.wait(running);
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result->size(), kSize);
  EXPECT_EQ(cluster["a"].process().wait(), ExitStatus{});
}

TEST_F(Drain, EndsAtOnceOnTheSecondSignal) {
  begin();
  cluster["a"].process().send(SIGTERM);
  EXPECT_EQ(cluster["a"].process().wait(5s), ExitStatus{}) << "it waits for the drain's ten seconds";
  const auto lost = client.wait(running_);
  ASSERT_FALSE(lost.ok());
  EXPECT_TRUE(lost.error().is_unavailable()) << lost.error();
}

}  // namespace
}  // namespace kaido::test
