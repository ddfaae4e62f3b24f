#include <grpcpp/grpcpp.h>

#include <deque>
#include <stdexcept>

#include "tests/bench/echo.grpc.pb.h"
#include "tests/bench/grpc_echo.h"

namespace kaido::bench {
namespace {

/// How many unary calls wait to be taken up at any time; more than the largest window.
constexpr int kWaitingCalls = 300;
constexpr int kWaitingStreams = 2;

/// One thing the completion queue can report.
class Event {
 public:
  virtual ~Event() = default;
  virtual void complete(bool ok) = 0;
};

struct Service {
  Echo::AsyncService echo;
  grpc::ServerCompletionQueue* queue = nullptr;
  Echo::Stub* backend = nullptr;  // Set in the proxy.
};

/// One unary call: requested → (forwarded →) finished; then the same object waits for another.
class UnaryCall final : public Event {
 public:
  explicit UnaryCall(Service& service) : service_(service) { request(); }

  void complete(bool ok) override {
    switch (state_) {
      case State::kRequested:
        if (!ok) return;
        service_.backend == nullptr ? answer() : forward();
        return;
      case State::kForwarded:
        state_ = State::kFinished;
        responder_->Finish(reply_, status_, this);
        return;
      case State::kFinished:
        request();
        return;
    }
  }

 private:
  enum class State { kRequested, kForwarded, kFinished };

  void request() {
    state_ = State::kRequested;
    context_ = std::make_unique<grpc::ServerContext>();
    responder_ = std::make_unique<grpc::ServerAsyncResponseWriter<EchoReply>>(context_.get());
    service_.echo.RequestUnary(context_.get(), &request_, responder_.get(), service_.queue, service_.queue, this);
  }

  void answer() {
    state_ = State::kFinished;
    reply_.set_text(request_.text());
    responder_->Finish(reply_, grpc::Status::OK, this);
  }

  void forward() {
    state_ = State::kForwarded;
    onward_ = std::make_unique<grpc::ClientContext>();
    reader_ = service_.backend->AsyncUnary(onward_.get(), request_, service_.queue);
    reader_->Finish(&reply_, &status_, this);
  }

  Service& service_;
  State state_ = State::kRequested;
  std::unique_ptr<grpc::ServerContext> context_;
  std::unique_ptr<grpc::ServerAsyncResponseWriter<EchoReply>> responder_;
  std::unique_ptr<grpc::ClientContext> onward_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<EchoReply>> reader_;
  EchoRequest request_;
  EchoReply reply_;
  grpc::Status status_;
};

/// One stream: reads ahead while it writes; a write that has another behind it may stay in the buffer.
class StreamCall {
 public:
  explicit StreamCall(Service& service) : service_(service) { request(); }

 private:
  using Step = void (StreamCall::*)(bool);

  /// Hands a completion to one of the stream's steps.
  class Slot final : public Event {
   public:
    Slot(StreamCall& call, Step step) : call_(call), step_(step) {}
    void complete(bool ok) override { (call_.*step_)(ok); }

   private:
    StreamCall& call_;
    Step step_;
  };

  void request() {
    context_ = std::make_unique<grpc::ServerContext>();
    stream_ = std::make_unique<grpc::ServerAsyncReaderWriter<EchoReply, EchoRequest>>(context_.get());
    waiting_.clear();
    reading_ = false;
    service_.echo.RequestStream(context_.get(), stream_.get(), service_.queue, service_.queue, &opened_);
  }

  void opened(bool ok) {
    if (ok) read();
  }

  void read() {
    reading_ = true;
    stream_->Read(&request_, &read_);
  }

  void was_read(bool ok) {
    if (!ok) {
      reading_ = false;
      return finish_if_idle();
    }
    EchoReply reply;
    reply.set_text(request_.text());
    waiting_.push_back(std::move(reply));
    if (waiting_.size() == 1) write();
    read();
  }

  void write() {
    grpc::WriteOptions options;
    if (waiting_.size() > 1) options.set_buffer_hint();
    stream_->Write(waiting_.front(), options, &written_);
  }

  void was_written(bool ok) {
    waiting_.pop_front();
    if (!ok) waiting_.clear();
    waiting_.empty() ? finish_if_idle() : write();
  }

  void finish_if_idle() {
    if (!reading_ && waiting_.empty()) stream_->Finish(grpc::Status::OK, &finished_);
  }

  void was_finished(bool) { request(); }

  Service& service_;
  Slot opened_{*this, &StreamCall::opened};
  Slot read_{*this, &StreamCall::was_read};
  Slot written_{*this, &StreamCall::was_written};
  Slot finished_{*this, &StreamCall::was_finished};
  std::unique_ptr<grpc::ServerContext> context_;
  std::unique_ptr<grpc::ServerAsyncReaderWriter<EchoReply, EchoRequest>> stream_;
  EchoRequest request_;
  std::deque<EchoReply> waiting_;  // The first one is being written.
  bool reading_ = false;
};

int serve(const std::string& socket, Echo::Stub* backend) {
  Service service;
  service.backend = backend;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&service.echo);
  const auto queue = builder.AddCompletionQueue();
  service.queue = queue.get();
  const auto server = builder.BuildAndStart();
  if (server == nullptr) throw std::runtime_error("gRPC does not listen on " + socket);

  std::vector<std::unique_ptr<UnaryCall>> calls;
  for (int i = 0; i < kWaitingCalls; ++i) calls.push_back(std::make_unique<UnaryCall>(service));
  std::vector<std::unique_ptr<StreamCall>> streams;
  for (int i = 0; i < kWaitingStreams; ++i) streams.push_back(std::make_unique<StreamCall>(service));
  announce_ready();
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Event*>(tag)->complete(ok);
  return 0;
}

}  // namespace

int run_grpc_server(const std::string& socket) { return serve(socket, nullptr); }

int run_grpc_proxy(const std::string& socket, const std::string& backend) {
  const auto stub = Echo::NewStub(grpc::CreateChannel("unix:" + backend, grpc::InsecureChannelCredentials()));
  return serve(socket, stub.get());
}

}  // namespace kaido::bench
