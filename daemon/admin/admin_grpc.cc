#include "daemon/admin/admin_grpc.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include "proto/base/check.h"
#include "proto/kaido/v1/admin.grpc.pb.h"

namespace kaido::daemon {
namespace {

/// A question is a few names and numbers; the arguments of a function are all that is larger, and its schema.
constexpr int kRequestBytesMax = static_cast<int>(kOperatorCallBytesMax) + 256 * 1024;
/// Threads that gRPC may use for calls at a time; more calls than that are refused with RESOURCE_EXHAUSTED.
constexpr int kThreadsMax = 16;
/// What gRPC may buffer over all connections. But for arguments and results, all is far below a megabyte.
constexpr std::size_t kBufferBytesMax = 64 * 1024 * 1024;
/// How long an operator's call may take, and takes unless it says.
constexpr std::chrono::seconds kCallTimeoutMax{3600};
constexpr std::chrono::seconds kCallTimeout{60};
/// How long after a call's deadline the loop may take to say that it passed.
constexpr std::chrono::seconds kCallGrace{5};
constexpr int kStreamsPerConnectionMax = 16;

grpc::Status to_grpc(const base::Status& status) {
  // absl's codes are gRPC's.
  return {static_cast<grpc::StatusCode>(status.raw_code()), std::string(status.message())};
}

std::chrono::nanoseconds timeout_of(const v1::CallRequest& request) {
  // Not a number is no time-out either.
  if (!(request.timeout_seconds() > 0)) return kCallTimeout;
  const std::chrono::duration<double> wanted(std::min(request.timeout_seconds(), double{kCallTimeoutMax.count()}));
  return std::max(std::chrono::duration_cast<std::chrono::nanoseconds>(wanted), std::chrono::nanoseconds(1));
}

/// Every call waits for the loop, on a thread of gRPC's. Simple, and the load is an operator.
class AdminService final : public v1::Admin::Service {
 public:
  AdminService(std::shared_ptr<LoopGate> gate, AdminQueries& queries, AdminGrpcOptions options)
      : gate_(std::move(gate)), queries_(queries), options_(options) {}

  grpc::Status Status(grpc::ServerContext* context, const v1::StatusRequest*, v1::StatusResponse* response) override {
    return answer(context, response, &AdminQueries::status);
  }

  grpc::Status ListNodes(grpc::ServerContext* context, const v1::ListNodesRequest*,
                         v1::ListNodesResponse* response) override {
    return answer(context, response, &AdminQueries::list_nodes);
  }

  grpc::Status ListFunctions(grpc::ServerContext* context, const v1::ListFunctionsRequest*,
                             v1::ListFunctionsResponse* response) override {
    return answer(context, response, &AdminQueries::list_functions);
  }

  grpc::Status ListTasks(grpc::ServerContext* context, const v1::ListTasksRequest* request,
                         v1::ListTasksResponse* response) override {
    const auto limit = request->limit() == 0 ? options_.tasks_max : std::min(request->limit(), options_.tasks_max);
    return answer(context, response, [limit](AdminQueries& queries) { return queries.list_tasks(limit); });
  }

  grpc::Status Ping(grpc::ServerContext* context, const v1::PingNodeRequest* request,
                    v1::PingNodeResponse* response) override {
    const auto timeout = time_left(*context);
    const auto question = [&queries = queries_, node = request->node(),
                           timeout](const LoopGate::Answer<v1::PingNodeResponse>& done) {
      queries.ping(node, timeout, done);
    };
    return fill(response, gate_->ask<v1::PingNodeResponse>(timeout, question));
  }

  grpc::Status DescribeFunction(grpc::ServerContext* context, const v1::DescribeFunctionRequest* request,
                                v1::DescribeFunctionResponse* response) override {
    const auto question = [&queries = queries_,
                           name = request->name()](const LoopGate::Answer<v1::DescribeFunctionResponse>& done) {
      done(queries.describe_function(name));
    };
    return fill(response, gate_->ask<v1::DescribeFunctionResponse>(time_left(*context), question));
  }

  grpc::Status Call(grpc::ServerContext* context, const v1::CallRequest* request, v1::CallResponse* response) override {
    if (request->arguments().size() > kOperatorCallBytesMax) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "the arguments take " + std::to_string(request->arguments().size()) +
                                                      " bytes; a call from here may send " +
                                                      std::to_string(kOperatorCallBytesMax)};
    }
    const std::uint64_t id = next_call_.fetch_add(1, std::memory_order_relaxed);
    const auto timeout = timeout_of(*request);
    // The request is copied: it may be gone before the loop comes to it.
    const auto question = [&queries = queries_, id, copy = *request,
                           timeout](const LoopGate::Answer<v1::CallResponse>& done) {
      queries.call(id, copy, timeout, done);
    };
    auto answered =
        gate_->ask<v1::CallResponse>(timeout + kCallGrace, question, [context] { return context->IsCancelled(); });
    if (!answered.ok()) gate_->tell([&queries = queries_, id] { queries.cancel_call(id); });
    if (answered.ok() && answered->result().size() > kOperatorCallBytesMax) {
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the result takes " + std::to_string(answered->result().size()) +
                                                        " bytes; a call from here may get " +
                                                        std::to_string(kOperatorCallBytesMax)};
    }
    return fill(response, std::move(answered));
  }

 private:
  [[nodiscard]] std::chrono::nanoseconds time_left(const grpc::ServerContext& context) const {
    const auto left = context.deadline() - std::chrono::system_clock::now();
    return std::clamp<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0), options_.call_timeout);
  }

  template <class Response, class Query>
  grpc::Status answer(const grpc::ServerContext* context, Response* response, Query query) {
    const auto question = [&queries = queries_, query](const LoopGate::Answer<Response>& done) {
      done(std::invoke(query, queries));
    };
    return fill(response, gate_->ask<Response>(time_left(*context), question));
  }

  template <class Response>
  static grpc::Status fill(Response* response, base::StatusOr<Response> answered) {
    if (!answered.ok()) {
      return to_grpc(answered.status());
    }
    *response = *std::move(answered);
    return grpc::Status::OK;
  }

  const std::shared_ptr<LoopGate> gate_;
  AdminQueries& queries_;
  const AdminGrpcOptions options_;
  std::atomic<std::uint64_t> next_call_{1};
};

std::unique_ptr<grpc::Server> build_server(AdminService& service, const AdminGrpcOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ResourceQuota quota("admin");
  quota.SetMaxThreads(kThreadsMax);
  quota.Resize(kBufferBytesMax);
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kRequestBytesMax);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, static_cast<int>(options.idle_timeout.count()));
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  return builder.BuildAndStart();
}

/// Starts a thread that never runs a signal handler, nor do those that it starts: signals are the loop's.
template <class Run>
std::thread start_thread_without_signals(Run run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  KAIDO_CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  std::thread thread(std::move(run));
  KAIDO_CHECK(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
  return thread;
}

}  // namespace

AdminGrpc::AdminGrpc(LoopGate::Post post, AdminQueries& queries, AdminGrpcOptions options)
    : gate_(std::make_shared<LoopGate>(std::move(post))), queries_(queries), options_(options) {}

AdminGrpc::~AdminGrpc() { KAIDO_CHECK(!thread_.joinable()); }

void AdminGrpc::adopt(int descriptor) {
  {
    const std::lock_guard lock(mutex_);
    KAIDO_CHECK(!stopping_);
    adopted_.push_back(descriptor);
  }
  changed_.notify_one();
  if (!thread_.joinable()) {
    thread_ = start_thread_without_signals([this] { run(); });
  }
}

void AdminGrpc::stop() {
  gate_->close();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void AdminGrpc::run() {
  AdminService service(gate_, queries_, options_);
  const auto server = build_server(service, options_);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !adopted_.empty(); });
    const auto descriptors = std::exchange(adopted_, {});
    const bool stopping = stopping_;
    lock.unlock();
    for (const int descriptor : descriptors) {
      if (server == nullptr || stopping) {
        ::close(descriptor);
      } else {
        grpc::AddInsecureChannelFromFd(server.get(), descriptor);
      }
    }
    if (stopping) {
      break;
    }
    lock.lock();
  }
  if (server != nullptr) {
    server->Shutdown(std::chrono::system_clock::now());  // the past: open calls are cancelled, not awaited
  }
}

}  // namespace kaido::daemon
