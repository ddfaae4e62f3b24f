#include "sdk/client/node_connection.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <kaido/detail/io.h>
#include <kaido/metrics.h>

#include "sdk/client/keeper.h"
#include "sdk/client/socket_path.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {
namespace {

TimePoint now() { return std::chrono::steady_clock::now(); }

/// A connected, non-blocking socket, or -1 and errno. A Unix socket connects at once or not at all.
int connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

SessionOptions to_session_options(const Handle& handle, const NodeOptions& options) {
  SessionOptions session;
  session.app_name = options.app_name().empty() ? std::string(program_invocation_short_name) : options.app_name();
  session.slots = {options.slots().value_or(static_cast<std::uint32_t>(handle.metrics().num_workers())),
                   options.task_slots()};
  session.unavailable_after = options.unavailable_after();
  session.ping_interval = options.ping_interval();
  session.ping_limit = options.ping_limit();
  session.handshake_timeout = std::max<Duration>(options.ping_limit(), Liveness::kShortest);
  session.max_waiting_calls = options.max_waiting_calls();
  session.seed = std::random_device{}();
  return session;
}

}  // namespace

class NodeConnection::Turn {
 public:
  /// Whether what is done in it can change what the session waits for: starting and answering calls cannot.
  enum class Timers : bool { kKept, kSet };

  explicit Turn(NodeConnection& connection, Timers timers = Timers::kSet)
      : self_(connection),
        lock_(connection.mutex_),
        timers_(timers),
        state_(connection.session_.state()),
        was_registered_(connection.session_.is_registered()),
        was_idle_(connection.is_idle()) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  ~Turn() {
    if (self_.session_.has_output() && !self_.is_write_blocked_)
      self_.has_output_.store(true, std::memory_order_release);
    if (timers_ == Timers::kSet) self_.arm_timer();
    std::shared_ptr<NodeConnection> alive;
    if (self_.session_.has_unwoken()) [[unlikely]]
      alive = wake_one_by_one();
    if (is_quiet()) {
      lock_.unlock();
      return;
    }
    std::vector<Waker> wakes = std::move(self_.session_.wakes());
    RunningCall* to_spawn = self_.to_spawn_.take();
    std::vector<RunningCallRef> to_cancel = std::move(self_.to_cancel_);
    RunningCall* answered = std::exchange(self_.answered_, nullptr);
    std::vector<Waker> events;
    if (has_event() && !self_.take_event_waiters(events)) [[unlikely]]
      alive = wake_waiters_one_by_one();
    const CoreRef core = to_spawn == nullptr ? CoreRef(nullptr) : self_.handle_.core();
    std::shared_ptr<NodeConnection> self;  // Let go last.
    if (self_.running_.empty()) self = std::move(self_.self_while_running_);
    lock_.unlock();
    // From here on `self_` may be gone: a wake can end its last owner on another thread.
    while (to_spawn != nullptr) spawn_task(*core, *std::exchange(to_spawn, to_spawn->next));
    while (answered != nullptr) std::exchange(answered, answered->next)->drop_ref();
    for (RunningCallRef& call : to_cancel) call->cancel();
    for (Waker& waker : wakes) waker.wake();
    for (Waker& waker : events) waker.wake();
  }

 private:
  /// Of calls that became done when there was no memory to gather their wakers. What it gives is to be let go without
  /// the lock.
  std::shared_ptr<NodeConnection> wake_one_by_one() noexcept {
    std::shared_ptr<NodeConnection> alive = self_.weak_from_this().lock();
    while (self_.session_.has_unwoken()) {
      Waker waker = self_.session_.take_unwoken();
      lock_.unlock();
      waker.wake();
      lock_.lock();
    }
    return alive;
  }
  /// The same for those who wait for an event.
  std::shared_ptr<NodeConnection> wake_waiters_one_by_one() noexcept {
    std::shared_ptr<NodeConnection> alive = self_.weak_from_this().lock();
    while (EventWaiter* const waiter = self_.next_told()) {
      Waker waker = std::move(waiter->waker);
      self_.unlink(*waiter);
      lock_.unlock();
      waker.wake();
      lock_.lock();
    }
    return alive;
  }
  /// Nothing is to be done without the lock: the rule for a call that is started or answered.
  [[nodiscard]] bool is_quiet() const {
    return self_.session_.wakes().empty() && self_.to_spawn_.is_empty() && self_.to_cancel_.empty() &&
           self_.answered_ == nullptr && !has_event();
  }
  [[nodiscard]] bool has_event() const {
    if (self_.event_waiters_ == nullptr) return false;
    return self_.session_.state() != state_ || self_.session_.is_registered() != was_registered_ ||
           self_.is_idle() != was_idle_ || self_.session_.failure().has_value();
  }

  NodeConnection& self_;
  std::unique_lock<std::mutex> lock_;
  const Timers timers_;
  const Session::State state_;
  const bool was_registered_;
  const bool was_idle_;
};

std::shared_ptr<NodeConnection> NodeConnection::create(Handle handle, const NodeOptions& options,
                                                       FunctionTable functions) {
  std::shared_ptr<NodeConnection> connection(
      new NodeConnection(handle, options.socket(), to_session_options(handle, options), std::move(functions)));
  NodeConnection& object = *connection;
  // First, so that whatever fails below closes it.
  std::shared_ptr<NodeConnection> owner(&object, [owned = std::move(connection)](NodeConnection* users) mutable {
    users->close("the program dropped the connection");
    users->keeper_.abort();
    owned.reset();
  });
  {
    const Turn turn(object);
    object.connect(now());
  }
  register_turn_hook(handle,
                     std::shared_ptr<TurnHook>(object.shared_from_this(),
                                               &object));  // not before: the stand-by thread serves who is registered
  const CurrentTaskScope nobody(nullptr);  // It outlives the function that may have made the first connection.
  object.keeper_ = handle.spawn(keep(AtEnd([weak = object.weak_from_this()] {
    if (const auto self = weak.lock()) self->close();
  })));
  return owner;
}

NodeConnection::NodeConnection(Handle handle, std::string path, SessionOptions options, FunctionTable functions)
    : handle_(std::move(handle)),
      given_path_(std::move(path)),
      session_(std::move(options), std::move(functions), *this),
      socket_(io_context(handle_)),
      timer_(io_context(handle_)) {}

NodeConnection::~NodeConnection() { close("the program dropped the connection"); }

// --- calls of this program ---

/// The call waits for the end of a turn: then all that were made meanwhile are taken up under one lock.
void NodeConnection::start(PendingCall& call, Waker waker) {
  call.waker = std::move(waker);
  if (started_.put(call)) return ask_for_turn();
  const Turn turn(*this, Turn::Timers::kKept);
  call.next = nullptr;
  start_all(&call);
}

bool NodeConnection::is_in_our_turn() const { return is_in_turn_of(handle_); }

/// On a thread of another runtime: what it has left for the node goes out when a turn of this one ends.
void NodeConnection::ask_for_turn() {
  if (!is_in_our_turn()) boost::asio::post(socket_.get_executor(), [] {});
}

void NodeConnection::start_all(PendingCall* first) {
  if (first == nullptr) return;
  const TimePoint at = now();
  while (first != nullptr) {
    PendingCall& call = *std::exchange(first, first->next);
    session_.start(call, std::move(call.waker), at);
  }
}

bool NodeConnection::set_waker(PendingCall& call, const PollContext& context) {
  Waker replaced;  // Dropped after the lock: that may run foreign code.
  const std::lock_guard lock(mutex_);
  if (call.is_done.load(std::memory_order_relaxed)) return false;
  if (!context.will_wake(call.waker)) replaced = std::exchange(call.waker, context.waker());
  return true;
}

void NodeConnection::drop(PendingCall& call) noexcept {
  {
    Waker dropped;  // After the turn, which holds the lock.
    const Turn turn(*this);
    // Whoever has put in what is taken up here, and finds it gone, must not believe that it went out.
    has_output_.store(true, std::memory_order_relaxed);
    splice();  // It may be among them.
    dropped = std::move(call.waker);
    session_.drop(call);
  }
  ask_for_turn();
}

std::string NodeConnection::node_name() const {
  const std::lock_guard lock(mutex_);
  return std::string(session_.node_name());
}

DistributedMetrics NodeConnection::metrics() const {
  const std::lock_guard lock(mutex_);
  DistributedMetrics metrics;
  metrics.calls_in_flight = session_.in_flight();
  metrics.calls_waiting = session_.waiting();
  metrics.functions_running = running_.size();
  metrics.late_results = session_.late_results();
  return metrics;
}

// --- calls for this program ---

void NodeConnection::run(IncomingCall& incoming) {
  auto* call = new RunningCall(handle_.core().get(), *this, incoming);
  if (running_.empty()) self_while_running_ = shared_from_this();
  call->index = running_.size();
  running_.push_back(call);
  to_spawn_.put(*call);
}

void NodeConnection::cancel(std::uint64_t call_id) {
  // Rare, and bounded by the slots that this program offered.
  const auto found = std::find_if(running_.begin(), running_.end(), [this, call_id](const RunningCall* call) {
    return call->call_id() == call_id && call->connection() == session_.connection();
  });
  if (found != running_.end()) to_cancel_.emplace_back(**found);
}

void NodeConnection::cancel_all() {
  for (RunningCall* call : running_) to_cancel_.emplace_back(*call);
}

void NodeConnection::cancel_running() {
  const Turn turn(*this);
  cancel_all();
}

void NodeConnection::drain() {
  const Turn turn(*this);
  session_.drain();
}

/// Once it is put in, another thread may answer it and end this object.
void NodeConnection::ended(RunningCall& call) noexcept {
  if (ended_.put(call)) return;
  const Turn turn(*this, Turn::Timers::kKept);
  call.next = nullptr;
  reply_to_ended(&call);
}

/// Takes up what tasks have left since the last time.
void NodeConnection::splice() {
  start_all(started_.take());
  reply_to_ended(ended_.take());
}

void NodeConnection::reply_to_ended(RunningCall* first) {
  while (first != nullptr) {
    RunningCall& call = *std::exchange(first, first->next);
    running_.back()->index = call.index;
    running_[call.index] = running_.back();
    running_.pop_back();
    if (call.is_in_yield_changes) forget_yield(call);
    const Error* const error = call.error();
    if (error == nullptr && call.result().size() > wire::kChunkBytes) {
      session_.reply_large(call.connection(), call.call_id(), std::move(call.result()));
    } else {
      session_.reply(call.connection(), call.call_id(), error, call.result().bytes());
    }
    call.result() = Buffer();  // Tasks that the function has spawned may keep the rest of the call for long.
    call.next = std::exchange(answered_, &call);
  }
}

void NodeConnection::yield_changed(RunningCall& call) noexcept {
  const std::lock_guard lock(mutex_);
  if (std::exchange(call.is_in_yield_changes, true)) return;
  call.next_yield_change = std::exchange(yield_changes_, &call);
  has_output_.store(true, std::memory_order_release);
}

/// What changed and changed back within the turn is not worth a frame.
void NodeConnection::tell_yields() {
  while (yield_changes_ != nullptr) {
    RunningCall* const call = std::exchange(yield_changes_, yield_changes_->next_yield_change);
    call->is_in_yield_changes = false;
    if (call->is_yielded() == call->is_yield_told) continue;
    call->is_yield_told = call->is_yielded();
    if (call->is_yield_told) {
      session_.yield(call->connection(), call->call_id());
    } else {
      session_.resume(call->connection(), call->call_id());
    }
  }
}

void NodeConnection::forget_yield(const RunningCall& call) noexcept {
  RunningCall** link = &yield_changes_;
  while (*link != &call) link = &(*link)->next_yield_change;
  *link = call.next_yield_change;
}

// --- the socket ---

void NodeConnection::connect(TimePoint at) {
  // At each attempt: the folder may come, go and be made by others.
  path_ = given_path_.empty() ? find_socket().path : given_path_;
  if (const auto problem = socket_problem(path_)) return session_.handle_disconnected(at, *problem);
  const int fd = connect_unix(path_);
  if (fd < 0) {
    return session_.handle_disconnected(
        at, "there is no node at " + path_ + " (" + std::strerror(errno) + "): start kaidod, or set KAIDO_SOCKET");
  }
  boost::system::error_code error;
  socket_.assign(boost::asio::local::stream_protocol(), fd, error);
  if (error) {
    ::close(fd);
    return session_.handle_disconnected(at, "the connection to " + path_ + " cannot be used: " + error.message());
  }
  ++socket_generation_;
  is_read_suspended_ = false;
  session_.handle_connected(at);
  read();
}

void NodeConnection::read() {
  // Asio's socket reads when it is ready and remembers that a short read has emptied it: one wait and one read a turn,
  // where a wait for readiness alone would cost an epoll_ctl besides.
  const auto space = session_.input_space();
  socket_.async_read_some(
      boost::asio::buffer(space.data(), space.size()),
      [weak = weak_from_this(), generation = socket_generation_](boost::system::error_code error, std::size_t count) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        const Turn turn(*self);
        if (generation == self->socket_generation_) self->handle_read(error, count);
      });
}

void NodeConnection::handle_read(boost::system::error_code error, std::size_t count) {
  if (error == boost::asio::error::operation_aborted && std::exchange(is_read_suspended_, false)) return read();
  const TimePoint at = now();
  if (error) {
    return lost(at,
                error == boost::asio::error::eof ? "the node at " + path_ + " closed the connection" : error.message());
  }
  if (!session_.handle_input(at, count)) return lost(at, session_.disconnect_reason());
  read();
}

void NodeConnection::end_of_turn() noexcept {
  if (!started_.has_any() && !ended_.has_any() && !has_output_.load(std::memory_order_relaxed)) return;
  const Turn turn(*this);
  has_output_.store(false, std::memory_order_relaxed);
  splice();
  tell_yields();
  if (!is_write_blocked_) flush();
}

void NodeConnection::flush() {
  if (send_output()) return;
  is_write_blocked_ = true;
  socket_.async_wait(boost::asio::socket_base::wait_write,
                     [weak = weak_from_this(), generation = socket_generation_](boost::system::error_code) {
                       const auto self = weak.lock();
                       if (self == nullptr) return;
                       const Turn turn(*self);
                       if (generation != self->socket_generation_) return;
                       self->is_write_blocked_ = false;
                       self->flush();
                     });
}

bool NodeConnection::send_output() {
  while (session_.has_output() && socket_.is_open()) {
    const ssize_t sent = send_once();
    if (sent >= 0) {
      session_.consume_output(now(), static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      lost(now(), std::string("sending to the node failed: ") + std::strerror(errno));
    }
  }
  return true;
}

/// The runtime's only thread is busy, so no handler runs: what Asio waits for is taken from it, until that thread is
/// back and finds its read cancelled.
void NodeConnection::serve_without_driver() noexcept {
  const Turn turn(*this);
  const TimePoint at = now();
  if (socket_.is_open()) read_directly(at);
  act_on_time(at);
  splice();
  tell_yields();
  send_output();
}

void NodeConnection::read_directly(TimePoint at) {
  constexpr int kReadsMax = 16;
  if (!std::exchange(is_read_suspended_, true)) {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
  for (int i = 0; i < kReadsMax; ++i) {
    const auto space = session_.input_space();
    const ssize_t count = ::recv(socket_.native_handle(), space.data(), space.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return lost(at, std::string("reading from the node failed: ") + std::strerror(errno));
    if (count == 0) return lost(at, "the node at " + path_ + " closed the connection");
    if (!session_.handle_input(at, static_cast<std::size_t>(count))) return lost(at, session_.disconnect_reason());
  }
}

ssize_t NodeConnection::send_once() {
  std::array<std::span<const std::byte>, wire::kMaxSegments> segments;
  const std::size_t count = session_.output(segments);
  std::array<iovec, wire::kMaxSegments> vectors;
  for (std::size_t i = 0; i < count; ++i) vectors[i] = {const_cast<std::byte*>(segments[i].data()), segments[i].size()};
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void NodeConnection::lost(TimePoint at, std::string_view reason) {
  boost::system::error_code ignored;
  socket_.close(ignored);
  ++socket_generation_;
  is_write_blocked_ = false;
  session_.handle_disconnected(at, std::string(reason));
}

void NodeConnection::arm_timer() {
  std::optional<TimePoint> next = session_.next_timeout();
  if (const auto connect_at = session_.connect_at(); connect_at && (!next || *connect_at < *next)) next = connect_at;
  if (next == timer_at_) return;
  timer_at_ = next;
  if (!next) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*next);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    if (const auto self = weak.lock(); self != nullptr && !error) self->handle_timer();
  });
}

void NodeConnection::handle_timer() {
  const Turn turn(*this);
  timer_at_.reset();
  act_on_time(now());
}

void NodeConnection::act_on_time(TimePoint at) {
  if (!session_.handle_timeout(at)) lost(at, session_.disconnect_reason());
  if (const auto connect_at = session_.connect_at(); connect_at && at >= *connect_at) connect(at);
}

// --- the end ---

void NodeConnection::close(std::string_view reason) noexcept {
  {
    const Turn turn(*this);
    start_all(started_.close());
    reply_to_ended(ended_.close());
    session_.close(reason);
    if (!is_write_blocked_) flush();
    lost(now(), reason);
  }
  std::call_once(unregistered_, [this] { unregister_turn_hook(handle_, *this); });
}

std::optional<Error> NodeConnection::failure() const {
  const std::lock_guard lock(mutex_);
  return session_.failure();
}

bool NodeConnection::is_connected() const {
  const std::lock_guard lock(mutex_);
  return session_.is_registered();
}

bool NodeConnection::is_closed() const {
  const std::lock_guard lock(mutex_);
  return session_.state() == Session::State::kClosed;
}

std::size_t NodeConnection::running() const {
  const std::lock_guard lock(mutex_);
  return running_.size();
}

std::string NodeConnection::socket_path() const {
  const std::lock_guard lock(mutex_);
  return path_;
}

}  // namespace kaido::inline abi0::detail
