/// An AdminServer on a thread of its own, with a made-up node behind it: for the tests here and kaidoctl's.
#pragma once

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "daemon/admin/admin_server.h"
#include "daemon/admin/queries.h"
#include "proto/base/check.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/kaido/v1/admin.pb.h"

namespace kaido::daemon {

/// Two nodes, "alpha" (this one) and "beta", which is lost, one function and `tasks` tasks. "silent" never answers a
/// ping. CHECKs that it is asked on one thread only.
class FakeAdminQueries final : public AdminQueries {
 public:
  v1::StatusResponse status() override {
    v1::StatusResponse response;
    response.set_node_name("alpha");
    response.set_node_id(std::string(32, 'a'));
    response.set_epoch(7);
    response.set_state(v1::NODE_STATE_ALIVE);
    response.set_version("1.2.3");
    (*response.mutable_counters())["kaido_calls_total"] = 12;
    return note(std::move(response));
  }

  v1::ListNodesResponse list_nodes() override {
    v1::ListNodesResponse response;
    auto& self = *response.add_nodes();
    self.set_name("alpha");
    self.set_is_self(true);
    self.set_state(v1::NODE_STATE_ALIVE);
    auto& other = *response.add_nodes();
    other.set_name("beta");
    other.set_state(v1::NODE_STATE_LOST);
    other.set_address("127.0.0.1:7401");
    (*other.mutable_tags())["zone"] = "eu-1";
    return note(std::move(response));
  }

  v1::ListFunctionsResponse list_functions() override {
    v1::ListFunctionsResponse response;
    auto& function = *response.add_functions();
    function.set_name("count_words");
    function.set_slots(2);
    return note(std::move(response));
  }

  v1::ListTasksResponse list_tasks(std::uint32_t limit) override {
    v1::ListTasksResponse response;
    for (std::uint32_t i = 0; i < std::min(limit, tasks); ++i) {
      response.add_tasks()->set_task_id("task-" + std::to_string(i));
    }
    response.set_truncated(limit < tasks);
    response.set_total(tasks);
    return note(std::move(response));
  }

  void ping(const std::string& node, base::Duration, PingDone done) override {
    v1::PingNodeResponse response;
    response.set_node(node.empty() ? "alpha" : node);
    response.set_rtt_seconds(0.000125);
    if (node == "silent") {
      unanswered = std::move(done);
    } else if (node.empty() || node == "alpha") {
      done(note(std::move(response)));
    } else if (node == "beta") {
      done(absl::UnavailableError("beta is not connected"));
    } else {
      done(absl::NotFoundError("no node is called '" + node + "'"));
    }
  }

  /// "count_words" takes a text and an optional limit, "sleep" never ends, "explode" throws, "old" states no schema.
  base::StatusOr<v1::DescribeFunctionResponse> describe_function(const std::string& name) override {
    if (name != "count_words" && name != "sleep" && name != "explode" && name != "old") {
      return absl::NotFoundError("no node offers '" + name + "'");
    }
    v1::DescribeFunctionResponse response;
    response.set_name(name);
    auto& version = *response.add_versions();
    version.set_id("0000000000000007");
    version.set_fingerprint("00000000000000ff");
    version.set_signature("(string, optional int32) -> int64");
    if (name != "old") version.set_schema(schema);
    auto& offer = *version.add_offers();
    offer.set_node("beta");
    offer.set_slots(2);
    return note(std::move(response));
  }

  void call(std::uint64_t id, const v1::CallRequest& request, base::Duration timeout, CallDone done) override {
    last_call = note(request);
    last_timeout = timeout;
    if (request.function() == "sleep") {
      calls[id] = std::move(done);
      return;
    }
    v1::CallResponse response;
    response.set_outcome(request.function() == "explode" ? "panicked" : "succeeded");
    response.set_result(result);
    if (request.function() == "explode") {
      response.set_message("it burst");
      response.set_exception_type("std::runtime_error");
      response.set_node("beta");
      response.set_attempt(1);
    }
    done(std::move(response));
  }

  void cancel_call(std::uint64_t id) override { cancelled += static_cast<int>(calls.erase(id)); }

  /// What count_words' version has for a schema, and what calls of it return.
  std::string schema;
  std::string result;
  v1::CallRequest last_call;
  base::Duration last_timeout{0};
  std::map<std::uint64_t, CallDone> calls;
  int cancelled = 0;
  std::uint32_t tasks = 5;
  PingDone unanswered;

 private:
  template <class Response>
  Response note(Response response) {
    KAIDO_CHECK(thread_ == std::thread::id() || thread_ == std::this_thread::get_id());
    thread_ = std::this_thread::get_id();
    return response;
  }

  std::thread::id thread_;
};

/// Serves at socket_path() from construction to destruction.
class AdminFixture {
 public:
  explicit AdminFixture(AdminServerOptions options = {}) {
    // Not the test's own folder: the path of a socket is short.
    std::string folder = "/tmp/kaido-admin-XXXXXX";
    KAIDO_CHECK(::mkdtemp(folder.data()) != nullptr && ::chmod(folder.c_str(), 0711) == 0);
    folder_ = folder;
    options.socket_path = socket_path();
    server_ = std::make_unique<AdminServer>(
        io_context_, [this](std::function<void()> run) { boost::asio::post(io_context_, std::move(run)); }, queries,
        options);
    KAIDO_CHECK(server_->start().ok());
    thread_ = std::thread([this] { io_context_.run(); });
  }

  ~AdminFixture() {
    stop();
    work_.reset();
    thread_.join();
    ::rmdir(folder_.c_str());
  }

  /// Runs `function` on the loop and waits for what it returns.
  template <class Function>
  std::invoke_result_t<Function> on_loop(Function function) {
    std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
    auto result = task.get_future();
    boost::asio::post(io_context_, std::move(task));
    return result.get();
  }

  /// Stops the server on its loop, as the node does.
  void stop() {
    on_loop([this] { server_->stop(); });
  }

  [[nodiscard]] AdminServerCounters counters() {
    return on_loop([this] { return server_->counters(); });
  }

  [[nodiscard]] std::string socket_path() const { return folder_ + "/admin.sock"; }

  FakeAdminQueries queries;

 private:
  std::string folder_;
  boost::asio::io_context io_context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_context_.get_executor()};
  std::unique_ptr<AdminServer> server_;
  std::thread thread_;
};

}  // namespace kaido::daemon
