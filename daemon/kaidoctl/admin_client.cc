#include "daemon/kaidoctl/admin_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/support/channel_arguments.h>

#include "proto/kaido/v1/admin.grpc.pb.h"

namespace kaido::daemon {

int connect_unix(const std::string& path, std::chrono::milliseconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return path.empty() ? -ENOENT : -ENAMETOOLONG;
  }
  path.copy(address.sun_path, path.size());
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode)) {
    return -ENOTSOCK;  // connect() would speak of a socket that nobody listens at
  }
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return -errno;
  }
  // connect() waits while the queue of connections is full: for so long, and then it is EAGAIN.
  const auto milliseconds = std::max<std::int64_t>(timeout.count(), 1);  // 0 would mean for ever
  const timeval limit{.tv_sec = milliseconds / 1000, .tv_usec = (milliseconds % 1000) * 1000};
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) {
    const int error = errno;
    ::close(descriptor);
    return -error;
  }
  return descriptor;
}

namespace {

/// The largest answers are results of functions and lists of thousands of functions.
constexpr int kAnswerBytesMax = 64 << 20;

grpc::ChannelArguments channel_arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kAnswerBytesMax);
  return arguments;
}

}  // namespace

class AdminClient::Impl {
 public:
  Impl(int descriptor, std::chrono::milliseconds timeout)
      : stub_(v1::Admin::NewStub(grpc::CreateCustomInsecureChannelFromFd("kaidod", descriptor, channel_arguments()))),
        timeout_(timeout) {}

  template <class Response, class Request>
  base::StatusOr<Response> call(grpc::Status (v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                        Response*),
                                const Request& request) {
    return call(method, request, timeout_);
  }

  template <class Response, class Request>
  base::StatusOr<Response> call(grpc::Status (v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                        Response*),
                                const Request& request, std::chrono::milliseconds timeout) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    Response response;
    const auto status = ((*stub_).*method)(&context, request, &response);
    if (!status.ok()) {
      // gRPC's codes are absl's.
      return base::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
    }
    return response;
  }

 private:
  const std::unique_ptr<v1::Admin::Stub> stub_;
  const std::chrono::milliseconds timeout_;
};

AdminClient::AdminClient(int descriptor, std::chrono::milliseconds timeout)
    : impl_(std::make_unique<Impl>(descriptor, timeout)) {}

AdminClient::~AdminClient() = default;

base::StatusOr<v1::StatusResponse> AdminClient::status() {
  return impl_->call(&v1::Admin::Stub::Status, v1::StatusRequest());
}

base::StatusOr<v1::ListNodesResponse> AdminClient::list_nodes() {
  return impl_->call(&v1::Admin::Stub::ListNodes, v1::ListNodesRequest());
}

base::StatusOr<v1::ListFunctionsResponse> AdminClient::list_functions() {
  return impl_->call(&v1::Admin::Stub::ListFunctions, v1::ListFunctionsRequest());
}

base::StatusOr<v1::ListTasksResponse> AdminClient::list_tasks(std::uint32_t limit) {
  v1::ListTasksRequest request;
  request.set_limit(limit);
  return impl_->call(&v1::Admin::Stub::ListTasks, request);
}

base::StatusOr<v1::DescribeFunctionResponse> AdminClient::describe_function(const std::string& name) {
  v1::DescribeFunctionRequest request;
  request.set_name(name);
  return impl_->call(&v1::Admin::Stub::DescribeFunction, request);
}

base::StatusOr<v1::CallResponse> AdminClient::call(const v1::CallRequest& request) {
  constexpr std::chrono::seconds kGrace{10};
  const std::chrono::duration<double> timeout(request.timeout_seconds());
  return impl_->call(&v1::Admin::Stub::Call, request,
                     std::chrono::duration_cast<std::chrono::milliseconds>(timeout) + kGrace);
}

base::StatusOr<v1::PingNodeResponse> AdminClient::ping(const std::string& node) {
  v1::PingNodeRequest request;
  request.set_node(node);
  return impl_->call(&v1::Admin::Stub::Ping, request);
}

}  // namespace kaido::daemon
