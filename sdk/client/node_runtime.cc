#include <kaido/node_runtime.h>

#include <exception>
#include <utility>
#include <variant>

#include <kaido/select.h>
#include <kaido/time.h>

#include "sdk/client/default_backend.h"
#include "sdk/client/node_connection.h"
#include "sdk/client/notice.h"
#include "sdk/function/function_table.h"

namespace kaido::inline abi0 {

namespace detail {
namespace {

/// Awaited in place: neither copied nor moved.
class EventWait {
 public:
  EventWait(std::shared_ptr<NodeConnection> connection, NodeConnection::Event event)
      : connection_(std::move(connection)), event_(event) {}
  EventWait(const EventWait&) = delete;
  EventWait& operator=(const EventWait&) = delete;
  ~EventWait() { connection_->forget(waiter_); }
  bool poll(PollContext& context) {
    if (!context.may_proceed()) return false;
    return connection_->poll_event(event_, waiter_, context);
  }
  void take() noexcept {}

 private:
  std::shared_ptr<NodeConnection> connection_;
  NodeConnection::Event event_;
  NodeConnection::EventWaiter waiter_;
};

Task<void> wait_for(std::shared_ptr<NodeConnection> connection, NodeConnection::Event event) {
  EventWait wait(std::move(connection), event);
  co_await wait;
}

/// Until the connection is closed for good. Whoever serves does nothing while there is no node, so that is said.
Task<Result<void>> serve(std::shared_ptr<NodeConnection> connection) {
  for (bool has_waited = false;;) {
    co_await wait_for(connection, NodeConnection::Event::kRegisteredOrFailed);
    if (connection->is_closed()) break;
    if (!connection->is_connected()) {
      if (const auto failure = connection->failure()) say_notice(failure->message() + "; this program waits for it");
      has_waited = true;
      co_await wait_for(connection, NodeConnection::Event::kRegistered);
    }
    if (has_waited && connection->is_connected()) say_notice("serving on node " + connection->node_name());
    has_waited = false;
    co_await wait_for(connection, NodeConnection::Event::kNotRegistered);
    if (connection->is_closed()) break;
  }
  if (auto failure = connection->failure()) co_return *std::move(failure);
  co_return Result<void>();
}

/// How long functions get to answer "cancelled" once they have been told.
constexpr std::chrono::seconds kCancelGrace(1);

Result<std::shared_ptr<NodeConnection>> open(const NodeOptions& options) {
  KindsOffered kinds;
  kinds.computing = options.slots() != 0;
  kinds.tasks = options.task_slots() != 0;
  auto functions = FunctionTable::collect(kinds);
  if (!functions) return std::move(functions).error();
  const Handle handle = Handle::current();
  auto connection = NodeConnection::create(handle, options, *std::move(functions));
  offer_default_backend(handle, connection);
  return connection;
}

}  // namespace
}  // namespace detail

Task<Result<NodeRuntime>> NodeRuntime::connect(NodeOptions options) {
  auto connection = detail::open(options);
  if (!connection) co_return std::move(connection).error();
  detail::EventWait registered(*connection, detail::NodeConnection::Event::kRegisteredOrFailed);
  co_await registered;
  if (auto failure = (*connection)->failure()) {
    (*connection)->close(failure->message());
    co_return *std::move(failure);
  }
  co_return NodeRuntime(*std::move(connection));
}

std::string NodeRuntime::node_name() const { return connection_->node_name(); }
bool NodeRuntime::is_connected() const { return connection_->is_connected(); }
DistributedHandle NodeRuntime::handle() const { return {connection_->runtime(), connection_}; }
DistributedMetrics NodeRuntime::metrics() const { return connection_->metrics(); }
std::size_t NodeRuntime::running() const { return connection_->running(); }
std::shared_ptr<detail::Backend> NodeRuntime::backend() const { return connection_; }

Task<void> NodeRuntime::shutdown_within(Duration limit) const {
  const auto connection = connection_;
  connection->drain();
  detail::EventWait idle(connection, detail::NodeConnection::Event::kIdle);
  auto drained = timeout(limit, idle);
  if (!co_await drained) {
    connection->cancel_running();
    auto cancelled = timeout(detail::kCancelGrace, idle);
    // A plain function that does not look at its Context is left behind: the node will count it as lost.
    static_cast<void>(co_await cancelled);
  }
  connection->close("the program is shutting down");
}

Task<Result<void>> serve_forever(NodeOptions options) {
  auto connection = detail::open(options);
  if (!connection) co_return std::move(connection).error();
  co_return co_await detail::serve(*std::move(connection));
}

Task<Result<void>> detail::serve_until(Task<void> request, NodeOptions options) {
  auto connection = open(options);
  if (!connection) co_return std::move(connection).error();
  auto serving = serve(*connection);
  std::exception_ptr failure;
  std::variant<Result<void>, std::monostate> first{std::in_place_index<1>};
  try {
    first = co_await select(std::move(serving), std::move(request));
  } catch (...) {
    failure = std::current_exception();
  }
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_await NodeRuntime(*std::move(connection)).shutdown(options.shutdown_limit());
  if (failure) std::rethrow_exception(std::move(failure));
  co_return Result<void>();
}

}  // namespace kaido::inline abi0
