/// A daemon's memory is bounded by one number, whoever floods it with whatever, and the calls of others go on.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <kaido/kaido.h>

#include "tests/integration/apps.h"
#include "tests/integration/floods.h"
#include "tests/integration/functions.h"
#include "tests/support/test_cluster.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMiB = 1U << 20;
constexpr std::size_t kBudget = 64 * kMiB;
/// What a daemon takes beside what it keeps for others; a sanitizer's shadow and quarantine come on top.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kOwn = 2048 * kMiB;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::size_t kOwn = 2048 * kMiB;
#else
constexpr std::size_t kOwn = 32 * kMiB;
#endif
#else
constexpr std::size_t kOwn = 32 * kMiB;
#endif

/// One daemon with little memory and one worker, which another app calls all the time.
class Memory : public ::testing::Test {
 protected:
  Memory() {
    traffic_ = client.runtime().spawn([this] { return keep_calling(); });
    EXPECT_TRUE(wait_until([&] { return calls_ > 5; }));
    before_ = resident_memory(process());
  }
  ~Memory() override {
    is_over_ = true;
    const auto failures = client.wait(traffic_);
    EXPECT_TRUE(failures.ok() && *failures == 0) << "calls of another app failed";
    EXPECT_GT(calls_.load(), 5);
    EXPECT_TRUE(cluster["a"].is_running());
  }

  static NodeSpec spec() {
    NodeSpec spec("a");
    spec.limit("memory", "64MiB").limit("max_frame_bytes", "8MiB").timeout("stalled", "2s").timeout("app", "1m");
    return spec.timeout("peer", "1m").peers_over_unix();
  }
  [[nodiscard]] pid_t process() { return cluster["a"].process().pid(); }
  [[nodiscard]] double kept(const std::string& kind) {
    return cluster["a"].metric("kaido_memory_bytes{kind=\"" + kind + "\"}");
  }
  [[nodiscard]] double refused(const std::string& kind) {
    return cluster["a"].metric("kaido_memory_refused_total{kind=\"" + kind + "\"}");
  }
  void expect_calls_go_on() {
    const int before = calls_;
    EXPECT_TRUE(wait_until([&] { return calls_ > before + 5; }));
  }
  /// While the flood is there, and soon after it.
  void expect_bounded() {
    expect_calls_go_on();
    EXPECT_LE(peak_memory(process()), kBudget + kOwn);
  }
  void expect_given_back(const std::string& kind) {
    EXPECT_TRUE(wait_until([&] { return kept(kind) < 1.0 * kMiB; })) << kept(kind);
    EXPECT_TRUE(wait_until([&] { return resident_memory(process()) <= before_ + kOwn; }))
        << resident_memory(process()) << " after " << before_;
  }

  TestCluster cluster{{spec()}};
  std::unique_ptr<App> worker = App::worker(cluster["a"]);
  Client client{cluster["a"]};

 private:
  Task<int> keep_calling() {
    int failures = 0;
    while (!is_over_) {
      auto text = co_await client.remote<&echo>().call(std::string(500, 'x'));
      if (!text.ok()) ADD_FAILURE() << text.error();
      if (!text.ok()) ++failures;
      ++calls_;
    }
    co_return failures;
  }

  std::size_t before_ = 0;
  std::atomic<bool> is_over_{false};
  std::atomic<int> calls_{0};
  JoinHandle<int> traffic_;
};

TEST_F(Memory, IsBoundedWhereAppsPrepareHugeTemplates) {
  {
    std::vector<Stranger> apps;
    for (int i = 0; i < 6; ++i) {
      apps.push_back(Stranger::app(cluster["a"]));
      for (std::uint32_t id = 1; id <= 200; ++id) apps.back().prepare_large(static_cast<std::uint32_t>(i) * 200 + id);
      ASSERT_TRUE(apps.back().send());
    }
    EXPECT_TRUE(wait_until([&] { return refused("templates") > 0; }));
    EXPECT_GT(kept("templates"), 1.0 * kMiB);
    expect_bounded();
  }
  expect_given_back("templates");
}

TEST_F(Memory, IsBoundedWherePeersInventNodes) {
  {
    std::vector<Stranger> peers;
    for (std::uint32_t i = 0; i < 100; ++i) {
      peers.push_back(Stranger::peer(cluster["a"], i, 1 * kMiB));
      peers.back().send();  // who is refused is not listened to
    }
    EXPECT_TRUE(wait_until([&] { return refused("node_infos") > 0; }));
    EXPECT_GT(kept("node_infos"), 1.0 * kMiB);
    expect_bounded();
  }
  expect_given_back("node_infos");
}

/// Apps that send as many calls as they can, each with some bytes that come back, and read nothing. A daemon does not
/// read them while they do not read, so each sends from a thread of its own until it is cut off.
class Unread {
 public:
  static constexpr std::size_t kLargeBytes = 60000;

  Unread(const TestNode& node, int apps, bool is_idempotent, std::size_t bytes = kLargeBytes,
         std::uint64_t calls = 800) {
    for (int i = 0; i < apps; ++i) {
      apps_.push_back(std::make_unique<Stranger>(Stranger::app(node)));
      apps_.back()->prepare_echo(1, is_idempotent);
      for (std::uint64_t call = 1; call <= calls; ++call) apps_.back()->call(1, call, bytes);
      senders_.emplace_back([app = apps_.back().get()] { app->send(); });
    }
  }

 private:
  std::vector<std::unique_ptr<Stranger>> apps_;
  std::vector<std::jthread> senders_;
};

TEST_F(Memory, IsBoundedWhereAppsDoNotReadTheirResults) {
  const Unread apps(cluster["a"], 4, /*is_idempotent=*/false);
  EXPECT_TRUE(wait_until([&] { return cluster["a"].metric("kaido_api_apps_refused_total{reason=\"stalled\"}") == 4; }))
      << "cut off after timeouts.stalled";
  expect_bounded();
  expect_given_back("output");
}

// Each less than is charged one by one where it leaves at once, and far less than an app alone may have.
TEST_F(Memory, IsBoundedWhereManyAppsDoNotReadSmallResults) {
  {
    const Unread apps(cluster["a"], 120, /*is_idempotent=*/false, 3900, 400);
    EXPECT_TRUE(wait_until([&] { return refused("output") > 0; }));
    expect_bounded();
  }
  expect_given_back("output");
}

TEST_F(Memory, IsBoundedWhereArgumentsAreKeptForRetries) {
  {
    const Unread apps(cluster["a"], 4, /*is_idempotent=*/true);
    expect_bounded();
  }
  expect_given_back("arguments");
}

TEST_F(Memory, IsBoundedWhereFramesDoNotComeWhole) {
  std::vector<Stranger> apps;
  for (int i = 0; i < 20; ++i) {
    apps.push_back(Stranger::app(cluster["a"]));
    ASSERT_TRUE(apps.back().send());
    apps.back().begin_frame(4 * kMiB, 2 * kMiB);
  }
  expect_bounded();
  expect_given_back("input");
}

}  // namespace
}  // namespace kaido::test
