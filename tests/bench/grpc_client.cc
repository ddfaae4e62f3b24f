#include <grpcpp/grpcpp.h>

#include <deque>
#include <stdexcept>

#include "tests/bench/echo.grpc.pb.h"
#include "tests/bench/grpc_echo.h"

namespace kaido::bench {
namespace {

std::shared_ptr<grpc::Channel> channel_to(const std::string& socket) {
  auto channel = grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials());
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
    throw std::runtime_error("no gRPC server on " + socket);
  }
  return channel;
}

std::string text_of(std::size_t slot) {
  std::string text(kTextBytes, 'x');
  text[0] = static_cast<char>(slot);
  return text;
}

class UnaryCaller final : public Caller {
 public:
  explicit UnaryCaller(const std::string& socket) : stub_(Echo::NewStub(channel_to(socket))) {}

  LoopResult run(std::size_t window, Clock::duration duration) override {
    LoopResult result;
    std::vector<Slot> slots(window);
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < window; ++i) {
      slots[i].request.set_text(text_of(i));
      start(slots[i]);
    }
    for (std::size_t in_flight = window; in_flight > 0;) {
      void* tag = nullptr;
      bool ok = false;
      if (!queue_.Next(&tag, &ok)) throw std::runtime_error("completion queue ended");
      auto& slot = *static_cast<Slot*>(tag);
      if (!slot.status.ok()) throw std::runtime_error(slot.status.error_message());
      if (slot.reply.text() != slot.request.text()) throw std::runtime_error("a result that does not match its call");
      const auto now = Clock::now();
      ++result.calls;
      if (window == 1)
        result.latencies_us.push_back(std::chrono::duration<double, std::micro>(now - slot.sent).count());
      now < begin + duration ? start(slot) : static_cast<void>(--in_flight);
    }
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return result;
  }

 private:
  struct Slot {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<EchoReply>> reader;
    EchoRequest request;
    EchoReply reply;
    grpc::Status status;
    Clock::time_point sent;
  };

  void start(Slot& slot) {
    slot.sent = Clock::now();
    slot.context = std::make_unique<grpc::ClientContext>();
    slot.reader = stub_->AsyncUnary(slot.context.get(), slot.request, &queue_);
    slot.reader->Finish(&slot.reply, &slot.status, &slot);
  }

  std::unique_ptr<Echo::Stub> stub_;
  grpc::CompletionQueue queue_;
};

class StreamCaller final : public Caller {
 public:
  explicit StreamCaller(const std::string& socket) : stub_(Echo::NewStub(channel_to(socket))) {
    stream_ = stub_->AsyncStream(&context_, &queue_, &opened_);
    if (next() != &opened_) throw std::runtime_error("the stream did not open");
  }

  LoopResult run(std::size_t window, Clock::duration duration) override {
    LoopResult result;
    const auto begin = Clock::now();
    auto sent = begin;
    for (std::size_t i = 0; i < window; ++i) waiting_.push_back(request_of(i));
    write();
    stream_->Read(&reply_, &read_);
    // The server answers in order, so the next reply belongs to the oldest request.
    std::size_t expected = 0;
    for (std::size_t in_flight = window; in_flight > 0 || !waiting_.empty();) {
      if (next() == &written_) {
        waiting_.pop_front();
        if (!waiting_.empty()) write();
        continue;
      }
      const auto now = Clock::now();
      if (reply_.text() != text_of(expected)) throw std::runtime_error("a result that does not match its call");
      ++result.calls;
      if (window == 1) result.latencies_us.push_back(std::chrono::duration<double, std::micro>(now - sent).count());
      sent = now;
      if (now < begin + duration) {
        waiting_.push_back(request_of(expected));
        if (waiting_.size() == 1) write();
      } else {
        --in_flight;
      }
      expected = (expected + 1) % window;
      if (in_flight > 0) stream_->Read(&reply_, &read_);
    }
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return result;
  }

 private:
  void* next() {
    void* tag = nullptr;
    bool ok = false;
    if (!queue_.Next(&tag, &ok) || !ok) throw std::runtime_error("the stream broke");
    return tag;
  }

  static EchoRequest request_of(std::size_t slot) {
    EchoRequest request;
    request.set_text(text_of(slot));
    return request;
  }

  void write() {
    grpc::WriteOptions options;
    if (waiting_.size() > 1) options.set_buffer_hint();
    stream_->Write(waiting_.front(), options, &written_);
  }

  // Addresses that tell the completions apart.
  char opened_ = 0;
  char written_ = 0;
  char read_ = 0;

  std::unique_ptr<Echo::Stub> stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<EchoRequest, EchoReply>> stream_;
  std::deque<EchoRequest> waiting_;  // The first one is being written.
  EchoReply reply_;
};

}  // namespace

std::unique_ptr<Caller> connect_grpc_unary(const std::string& socket) { return std::make_unique<UnaryCaller>(socket); }

std::unique_ptr<Caller> connect_grpc_stream(const std::string& socket) {
  return std::make_unique<StreamCaller>(socket);
}

}  // namespace kaido::bench
