/// NodeConnection: a Session with a socket, a clock and a runtime.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <kaido/detail/pending_call.h>
#include <kaido/detail/turn_hook.h>
#include <kaido/handle.h>
#include <kaido/node_runtime.h>

#include "sdk/client/running_call.h"
#include "sdk/client/session.h"

namespace kaido::detail {

/// Reads when the socket is ready and handles every complete frame before any task runs; what tasks then write is
/// gathered and sent with one system call at the end of the turn.
///
/// Threading: thread-safe. One lock guards the session; functions, wakes and spawns happen outside it.
/// Lifetime: shared. Handlers of the io_context hold it weakly, so that dropping the last owner closes the connection;
/// the runtime's end closes it too (see keeper.h).
class NodeConnection final : public Backend,
                             public ReplyTarget,
                             private TurnHook,
                             private SessionEvents,
                             public std::enable_shared_from_this<NodeConnection> {
 public:
  /// Makes the first attempt to connect at once. `functions` is what the program offers.
  [[nodiscard]] static std::shared_ptr<NodeConnection> create(Handle handle, const NodeOptions& options,
                                                              FunctionTable functions);
  ~NodeConnection() override;

  // Backend
  void start(PendingCall& call, Waker waker) override;
  bool set_waker(PendingCall& call, const detail::Context& context) override;
  void drop(PendingCall& call) noexcept override;
  [[nodiscard]] std::string node_name() const override;
  void close() noexcept override { close("the program's runtime or connection was closed"); }

  // ReplyTarget
  void reply(RunningCall& call, const Error* error, std::span<const std::byte> result) noexcept override;

  void close(std::string_view reason) noexcept;
  [[nodiscard]] bool is_connected() const;
  [[nodiscard]] std::size_t running() const;

  /// Answers calls from the node with "rejected" from now on.
  void drain();
  void cancel_running();

  /// What to wait for. True when it is so; else the waker is called when that may have changed.
  enum class Event { kRegisteredOrFailed, kClosed, kIdle };
  bool poll_event(Event event, detail::Context& context);
  /// Of the last attempt to connect, or of the end; nothing while all is well.
  [[nodiscard]] std::optional<Error> failure() const;
  [[nodiscard]] bool is_closed() const;

  [[nodiscard]] const std::string& socket_path() const { return path_; }

 private:
  NodeConnection(Handle handle, std::string path, SessionOptions options, FunctionTable functions);

  /// Holds the lock, and does what must happen without it when it ends: spawns, aborts and wakes.
  class Turn;
  struct NewTask {
    SpawnCell<void>* cell;
    JoinHandle<void> handle;
  };

  // TurnHook
  void end_of_turn() noexcept override;
  // SessionEvents
  void run(const IncomingCall& call) override;
  void cancel(std::uint64_t call_id) override;
  void cancel_all() override;

  void connect(TimePoint now);
  void read();
  void handle_read(boost::system::error_code error, std::size_t count);
  void flush();
  void lost(TimePoint now, std::string_view reason);
  void arm_timer();
  void handle_timer();

  const Handle handle_;
  const std::string path_;
  mutable std::mutex mutex_;  ///< guards everything below
  Session session_;
  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::steady_timer timer_;
  std::optional<TimePoint> timer_at_;
  bool is_write_blocked_ = false;
  std::uint64_t socket_generation_ = 0;  ///< tells a handler of an earlier socket that it is late
  std::vector<RunningCall*> running_;
  std::vector<NewTask> to_spawn_;
  std::vector<AbortHandle> to_abort_;
  std::vector<Waker> event_waiters_;

  JoinHandle<void> keeper_;
  std::once_flag unregistered_;

  std::atomic<bool> has_output_{false};  ///< spares a turn without output the lock
};

}  // namespace kaido::detail
