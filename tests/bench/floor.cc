#include "tests/bench/floor.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <coroutine>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <vector>

#include "tests/bench/floor_socket.h"

namespace kaido::bench {
namespace {

/// The relay: one epoll set, one flush per destination and turn.
class Relay {
 public:
  Relay(const std::string& client_socket, const std::string& worker_socket)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        clients_(listen_unix(client_socket)),
        workers_(listen_unix(worker_socket)) {
    watch(clients_);
    watch(workers_);
  }

  void run() {
    std::array<epoll_event, 64> events;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)].data.fd);
      for (FloorSocket* socket : dirty_) socket->flush();
      dirty_.clear();
    }
  }

 private:
  void watch(int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) throw std::runtime_error("epoll_ctl");
  }

  void handle(int descriptor) {
    if (descriptor == clients_ || descriptor == workers_) return accept(descriptor);
    const auto index = static_cast<std::size_t>(descriptor);
    FloorSocket& socket = *sockets_[index];
    if (!socket.read()) {
      std::erase(worker_order_, descriptor);
      std::erase(dirty_, &socket);
      sockets_[index].reset();
      return;
    }
    for (auto frame = socket.next(); !frame.empty(); frame = socket.next()) route(descriptor, frame);
  }

  void accept(int listener) {
    const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const auto index = static_cast<std::size_t>(descriptor);
    if (sockets_.size() <= index) sockets_.resize(index + 1);
    sockets_[index] = std::make_unique<FloorSocket>(descriptor);
    if (listener == workers_) worker_order_.push_back(descriptor);
    watch(descriptor);
  }

  /// A call carries its client in the header while it is with a worker; a result carries it back.
  void route(int from, std::span<std::byte> frame) {
    auto* header = reinterpret_cast<FloorHeader*>(frame.data());
    int destination = static_cast<int>(header->source);
    if (header->kind == 0) {
      header->source = static_cast<std::uint64_t>(from);
      header->kind = 1;
      destination = worker_order_[next_worker_++ % worker_order_.size()];
    }
    const auto& socket = sockets_[static_cast<std::size_t>(destination)];
    if (socket == nullptr) return;  // A client that left before its last results.
    if (!socket->has_output()) dirty_.push_back(socket.get());
    socket->append(frame);
  }

  int epoll_;
  int clients_;
  int workers_;
  std::vector<std::unique_ptr<FloorSocket>> sockets_;  // By descriptor.
  std::vector<int> worker_order_;
  std::size_t next_worker_ = 0;
  std::vector<FloorSocket*> dirty_;
};

/// The least a coroutine per call can cost: a frame from a free list, one switch in, freed at its end.
struct CallCoroutine {
  struct promise_type {
    CallCoroutine get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }

    static void* operator new(std::size_t size) {
      auto& free = free_frames();
      if (free.empty()) return ::operator new(size);
      void* frame = free.back();
      free.pop_back();
      return frame;
    }
    static void operator delete(void* frame) { free_frames().push_back(frame); }

    // There is one coroutine function here, so all frames have one size.
    static std::vector<void*>& free_frames() {
      static std::vector<void*> frames;
      return frames;
    }
  };
  std::coroutine_handle<promise_type> handle;
};

/// The function called: takes its argument, returns it.
CallCoroutine answer(FloorSocket& socket, FloorHeader header, std::array<std::byte, kPayloadBytes> argument) {
  const std::array<std::byte, kPayloadBytes> result = argument;
  socket.append(header, result);
  co_return;
}

class FloorCaller final : public Caller {
 public:
  explicit FloorCaller(const std::string& path) : socket_(connect_unix(path)) {}

  LoopResult run(std::size_t window, Clock::duration duration) override {
    LoopResult result;
    const auto begin = Clock::now();
    const auto end = begin + duration;
    std::vector<Clock::time_point> sent(window);
    for (std::size_t slot = 0; slot < window; ++slot) call(slot);
    std::size_t in_flight = window;
    auto now = begin;
    sent[0] = now;
    socket_.flush();
    while (in_flight > 0) {
      if (!socket_.read()) throw std::runtime_error("the relay went away");
      now = Clock::now();
      for (auto frame = socket_.next(); !frame.empty(); frame = socket_.next()) {
        const std::size_t slot = check(frame);
        ++result.calls;
        if (window == 1)
          result.latencies_us.push_back(std::chrono::duration<double, std::micro>(now - sent[0]).count());
        --in_flight;
        if (now >= end) continue;
        ++in_flight;
        call(slot);
      }
      if (window == 1) sent[0] = Clock::now();
      socket_.flush();
    }
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return result;
  }

 private:
  void call(std::size_t slot) {
    payload_[0] = static_cast<std::byte>(slot);
    socket_.append(FloorHeader{.length = sizeof(FloorHeader) + kPayloadBytes, .call_id = slot}, payload_);
  }

  std::size_t check(std::span<const std::byte> frame) const {
    FloorHeader header;
    std::memcpy(&header, frame.data(), sizeof header);
    if (frame.size() != sizeof header + kPayloadBytes ||
        frame[sizeof header] != static_cast<std::byte>(header.call_id)) {
      throw std::runtime_error("a result that does not match its call");
    }
    return header.call_id;
  }

  FloorSocket socket_;
  std::array<std::byte, kPayloadBytes> payload_{};
};

}  // namespace

int run_floor_relay(const std::string& client_socket, const std::string& worker_socket) {
  Relay relay(client_socket, worker_socket);
  announce_ready();
  relay.run();
  return 0;
}

int run_floor_worker(const std::string& worker_socket) {
  FloorSocket socket(connect_unix(worker_socket));
  announce_ready();
  std::vector<std::coroutine_handle<>> ready;
  while (socket.read()) {
    for (auto frame = socket.next(); !frame.empty(); frame = socket.next()) {
      FloorHeader header;
      std::array<std::byte, kPayloadBytes> argument{};
      std::memcpy(&header, frame.data(), sizeof header);
      std::memcpy(argument.data(), frame.data() + sizeof header, argument.size());
      ready.push_back(answer(socket, header, argument).handle);
    }
    for (const auto& call : ready) call.resume();
    ready.clear();
    socket.flush();
  }
  return 0;
}

std::unique_ptr<Caller> connect_floor(const std::string& client_socket) {
  return std::make_unique<FloorCaller>(client_socket);
}

}  // namespace kaido::bench
