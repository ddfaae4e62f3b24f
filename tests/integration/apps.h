/// The two ends of a call in a test: worker programs as processes, and the test itself as a client.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <kaido/join_handle.h>
#include <kaido/node_runtime.h>
#include <kaido/remote.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

#include "tests/support/process.h"
#include "tests/support/test_cluster.h"

namespace kaido::test {

/// A process of test_app that its node has accepted.
///
/// Lifetime: killed by the destructor.
class App {
 public:
  /// Throws std::runtime_error if it is not accepted.
  [[nodiscard]] static std::unique_ptr<App> worker(const TestNode& node, int slots = 64);
  /// version_app_N: offers the function `versioned` as version N has it.
  [[nodiscard]] static std::unique_ptr<App> version(const TestNode& node, int version);
  /// Calls hold(journal) through this node.
  [[nodiscard]] static std::unique_ptr<App> holder(const TestNode& node, const std::string& journal);

  [[nodiscard]] Process& process() { return *process_; }

 private:
  explicit App(Command command);

  TempFolder folder_;
  std::optional<Process> process_;
};

/// The test's own process as an app that only calls. What it spawns goes on while the test does other things.
///
/// Threading: the test's thread.
/// Lifetime: the destructor drops the connection, and with it the calls under way.
class Client {
 public:
  /// Throws BadResultAccess if there is no node.
  explicit Client(const TestNode& node, std::chrono::milliseconds unavailable_after = kPatience);

  template <auto F>
  [[nodiscard]] Remote<F> remote() const {
    return node_->remote<F>();
  }
  template <class Signature>
  [[nodiscard]] auto remote(std::string_view name) const {
    return node_->remote<Signature>(name);
  }
  template <class R>
  [[nodiscard]] JoinHandle<R> spawn(RemoteCall<R> call) {
    const EnterGuard guard = runtime_.enter();
    return kaido::spawn(std::move(call));
  }
  /// kTimedOut if it takes longer than kPatience.
  template <class R>
  Result<R> wait(JoinHandle<R>& handle) {
    return runtime_.block_on([&]() -> Task<Result<R>> {
      auto limited = kaido::timeout(kPatience, handle);
      co_return co_await limited;
    });
  }
  template <class R>
  Result<R> call(RemoteCall<R> call) {
    JoinHandle<R> handle = spawn(std::move(call));
    return wait(handle);
  }

  [[nodiscard]] Runtime& runtime() { return runtime_; }
  [[nodiscard]] NodeRuntime& node() { return *node_; }

 private:
  Runtime runtime_;
  std::optional<NodeRuntime> node_;
};

/// How many functions have written "started" or "ended" into this journal.
[[nodiscard]] int count_started(const std::string& journal);
[[nodiscard]] int count_ended(const std::string& journal);
/// Whether somebody starts within kPatience.
[[nodiscard]] bool wait_started(const std::string& journal, int count = 1);

}  // namespace kaido::test
