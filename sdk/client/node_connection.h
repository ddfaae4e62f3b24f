/// NodeConnection: a Session with a socket, a clock and a runtime.
#pragma once

#include <sys/types.h>

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
#include <kaido/join_handle.h>
#include <kaido/node_runtime.h>

#include "sdk/client/hand_over.h"
#include "sdk/client/running_call.h"
#include "sdk/client/session.h"

namespace kaido::inline abi0::detail {

/// Reads when the socket is ready and handles every complete frame before any task runs; what tasks then write is
/// gathered and sent with one system call at the end of the turn.
///
/// Threading: thread-safe. One lock guards the session; functions, wakes and spawns happen outside it.
/// Lifetime: shared, by two kinds of owners. Its users hold what create() returned: when the last of them goes, the
/// connection is closed. While functions run it holds itself, so that no function can meet it half destroyed. Handlers
/// of the io_context hold it weakly; the runtime's end closes it too (keeper.h).
class NodeConnection final : public Backend,
                             public ReplyTarget,
                             private TurnHook,
                             private SessionEvents,
                             public std::enable_shared_from_this<NodeConnection> {
 public:
  /// Makes the first attempt to connect at once. `functions` is what the program offers. Dropping the last copy of what
  /// is returned closes the connection.
  [[nodiscard]] static std::shared_ptr<NodeConnection> create(Handle handle, const NodeOptions& options,
                                                              FunctionTable functions);
  ~NodeConnection() override;

  // Backend
  void start(PendingCall& call, Waker waker) override;
  bool set_waker(PendingCall& call, const PollContext& context) override;
  void drop(PendingCall& call) noexcept override;
  [[nodiscard]] std::string node_name() const override;
  [[nodiscard]] DistributedMetrics metrics() const override;
  [[nodiscard]] std::shared_ptr<Backend> unowning(const std::shared_ptr<Backend>&) override {
    return shared_from_this();
  }
  void close() noexcept override { close("the program's runtime or connection was closed"); }

  // ReplyTarget
  void ended(RunningCall& call) noexcept override;
  void yield_changed(RunningCall& call) noexcept override;

  void close(std::string_view reason) noexcept;
  [[nodiscard]] const Handle& runtime() const { return handle_; }
  [[nodiscard]] bool is_connected() const;
  [[nodiscard]] std::size_t running() const;

  /// Answers calls from the node with "rejected" from now on.
  void drain();
  void cancel_running();

  /// What to wait for.
  enum class Event { kRegisteredOrFailed, kRegistered, kNotRegistered, kIdle };
  /// Where one who waits leaves its waker; see EventWait.
  struct EventWaiter {
    Event event{};
    Waker waker;
    bool is_linked = false;
    EventWaiter* previous = nullptr;
    EventWaiter* next = nullptr;
  };
  /// True when it is so; else the waker is called, once, when it is.
  bool poll_event(Event event, EventWaiter& waiter, PollContext& context);
  void forget(EventWaiter& waiter) noexcept;
  /// Of the last attempt to connect, or of the end; nothing while all is well.
  [[nodiscard]] std::optional<Error> failure() const;
  [[nodiscard]] bool is_closed() const;

  [[nodiscard]] std::string socket_path() const;

 private:
  NodeConnection(Handle handle, std::string path, SessionOptions options, FunctionTable functions);

  /// Holds the lock, and does what must happen without it when it ends: spawns, aborts and wakes.
  class Turn;
  // TurnHook
  void end_of_turn() noexcept override;
  void serve_without_driver() noexcept override;
  // SessionEvents
  void run(IncomingCall& call) override;
  void cancel(std::uint64_t call_id) override;
  void cancel_all() override;

  void connect(TimePoint now);
  void read();
  [[nodiscard]] ssize_t send_once();
  void handle_read(boost::system::error_code error, std::size_t count);
  void flush();
  /// False if the socket takes no more for now.
  bool send_output();
  void read_directly(TimePoint now);
  void lost(TimePoint now, std::string_view reason);
  void arm_timer();
  void handle_timer();
  void act_on_time(TimePoint now);

  /// No function runs, and while draining: all that is for the node is sent.
  [[nodiscard]] bool is_idle() const { return running_.empty() && !session_.owes_results(); }
  [[nodiscard]] bool is_in_our_turn() const;
  void ask_for_turn();
  [[nodiscard]] bool is_so(Event event) const;
  void splice();
  void start_all(PendingCall* first);
  void reply_to_ended(RunningCall* first);
  void tell_yields();
  void unlink(EventWaiter& waiter) noexcept;
  [[nodiscard]] EventWaiter* next_told() const;
  /// False if there was no memory for all.
  [[nodiscard]] bool take_event_waiters(std::vector<Waker>& into) noexcept;
  void forget_yield(const RunningCall& call) noexcept;

  const Handle handle_;
  const std::string given_path_;  ///< empty: where nodes listen by default, looked for at each attempt
  mutable std::mutex mutex_;      ///< guards everything below
  std::string path_;
  Session session_;
  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::steady_timer timer_;
  std::optional<TimePoint> timer_at_;
  bool is_write_blocked_ = false;
  bool is_read_suspended_ = false;       ///< the read that waits in Asio was cancelled by serve_without_driver()
  std::uint64_t socket_generation_ = 0;  ///< tells a handler of an earlier socket that it is late
  std::vector<RunningCall*> running_;
  std::shared_ptr<NodeConnection> self_while_running_;  ///< set while `running_` is not empty
  RunningCall* answered_ = nullptr;                     ///< to be given back outside the lock
  RunningCall* yield_changes_ = nullptr;  ///< what the node is to be told at the end of the turn, if it still holds
  InOrder<RunningCall, &RunningCall::next> to_spawn_;
  std::vector<RunningCallRef> to_cancel_;
  EventWaiter* event_waiters_ = nullptr;

  JoinHandle<void> keeper_;
  std::once_flag unregistered_;

  // From tasks, without the lock; the end of the turn takes them up together.
  HandOver<PendingCall, &PendingCall::next> started_;
  HandOver<RunningCall, &RunningCall::next> ended_;
  std::atomic<bool> has_output_{false};  ///< spares a turn without output the lock
};

}  // namespace kaido::inline abi0::detail
