#include <kaido/node_runtime.h>

#include <utility>

#include <kaido/time.h>

#include "sdk/client/default_backend.h"
#include "sdk/client/node_connection.h"
#include "sdk/function/function_table.h"

namespace kaido {

namespace detail {
namespace {

class EventWait {
 public:
  EventWait(std::shared_ptr<NodeConnection> connection, NodeConnection::Event event)
      : connection_(std::move(connection)), event_(event) {}
  bool poll(detail::Context& context) {
    if (!context.may_proceed()) return false;
    return connection_->poll_event(event_, context);
  }
  void take() noexcept {}

 private:
  std::shared_ptr<NodeConnection> connection_;
  NodeConnection::Event event_;
};

/// How long functions get to answer "cancelled" once they have been told.
constexpr std::chrono::seconds kCancelGrace(1);

Result<std::shared_ptr<NodeConnection>> open(const NodeOptions& options) {
  auto functions = FunctionTable::collect();
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
std::size_t NodeRuntime::running() const { return connection_->running(); }
std::shared_ptr<detail::Backend> NodeRuntime::backend() const { return connection_; }

Task<void> NodeRuntime::shutdown(std::chrono::milliseconds limit) const {
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
  detail::EventWait closed(*connection, detail::NodeConnection::Event::kClosed);
  co_await closed;
  auto failure = (*connection)->failure();
  if (!failure) co_return Result<void>();
  co_return *std::move(failure);
}

}  // namespace kaido
