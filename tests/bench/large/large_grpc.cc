#include "tests/bench/large/large_grpc.h"

#include <grpcpp/grpcpp.h>

#include <stdexcept>

#include "tests/bench/caller.h"
#include "tests/bench/echo.grpc.pb.h"

namespace kaido::bench {
namespace {

constexpr int kUnlimited = -1;

class SumService final : public Echo::Service {
 public:
  grpc::Status Sum(grpc::ServerContext*, const SumRequest* request, SumReply* reply) override {
    reply->set_sum(sum_of(std::as_bytes(std::span(request->data()))));
    return grpc::Status::OK;
  }
};

class LargeGrpcCaller final : public LargeCaller {
 public:
  explicit LargeGrpcCaller(const std::string& socket) {
    auto channel = grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials());
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
      throw std::runtime_error("no gRPC server on " + socket);
    }
    stub_ = Echo::NewStub(channel);
  }

  // The message is made once for each size: a program that uses gRPC has its data there.
  std::uint64_t call(std::span<const std::byte> argument) override {
    if (request_.data().size() != argument.size()) request_.set_data(argument.data(), argument.size());
    grpc::ClientContext context;
    SumReply reply;
    const grpc::Status status = stub_->Sum(&context, request_, &reply);
    if (!status.ok()) throw std::runtime_error(status.error_message());
    return reply.sum();
  }

 private:
  std::unique_ptr<Echo::Stub> stub_;
  SumRequest request_;
};

}  // namespace

int run_large_grpc_server(const std::string& socket) {
  SumService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(kUnlimited);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) throw std::runtime_error("gRPC does not listen on " + socket);
  announce_ready();
  server->Wait();
  return 0;
}

std::unique_ptr<LargeCaller> connect_large_grpc(const std::string& socket) {
  return std::make_unique<LargeGrpcCaller>(socket);
}

}  // namespace kaido::bench
