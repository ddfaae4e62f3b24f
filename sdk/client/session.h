/// Session: the app's side of docs/protocol/local.md as a state machine. Bytes and times in, bytes and wakes out.
///
/// It knows the handshake, what has been prepared, the calls in flight, the node's credit, and what becomes of all that
/// when the connection is lost and made again. It has no socket, no clock and no thread; NodeConnection gives it those.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <kaido/detail/pending_call.h>
#include <kaido/detail/waker.h>
#include <kaido/error.h>
#include <kaido/placement.h>

#include "proto/base/backoff.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_reader.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/limits.h"
#include "sdk/function/function_table.h"

namespace kaido::detail {

using TimePoint = std::chrono::steady_clock::time_point;

struct SessionOptions {
  std::string app_name = "app";
  std::uint32_t slots = 256;  ///< 0: offers nothing
  std::chrono::nanoseconds unavailable_after = std::chrono::seconds(5);
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(5);
  /// How many calls may wait for credit or for a connection; more are rejected.
  std::size_t max_waiting_calls = 65536;
  std::uint64_t seed = 1;  ///< of the jitter between attempts to connect
};

/// A call from the node for a function of this program.
struct IncomingCall {
  const FunctionEntry* function = nullptr;
  std::uint64_t call_id = 0;
  std::uint64_t connection = 0;  ///< which of the session's connections it came over; reply() wants it back
  std::uint32_t attempt = 1;
  std::optional<TimePoint> deadline;
  std::span<const std::byte> info;       ///< kaido.v1.CallInfo, unparsed
  std::span<const std::byte> arguments;  ///< valid during the call of run()
};

/// What a session asks of its owner, called from within its own functions: take a note, act later.
class SessionEvents {
 public:
  virtual void run(const IncomingCall& call) = 0;
  virtual void cancel(std::uint64_t call_id) = 0;
  /// The connection is gone: nobody waits for what runs for the node.
  virtual void cancel_all() = 0;

 protected:
  ~SessionEvents() = default;
};

/// Threading: under its owner's lock.
/// Lifetime: PendingCalls are referred to until they are done or dropped.
class Session {
 public:
  enum class State : std::uint8_t {
    kDisconnected,  ///< connect() at connect_at()
    kHandshake,     ///< hello is sent
    kReady,         ///< calls flow; functions are offered, though perhaps not yet acknowledged
    kClosed,        ///< for good: closed here, or refused by the node
  };

  Session(SessionOptions options, FunctionTable functions, SessionEvents& events);

  // --- the connection ---
  /// A new one stands: says hello.
  void handle_connected(TimePoint now);
  /// It could not be made, or it ended.
  void handle_disconnected(TimePoint now, std::string_view reason);
  /// Where received bytes go; then handle_input().
  [[nodiscard]] std::span<std::byte> input_space() { return reader_->writable(); }
  /// False: the connection must be closed and handle_disconnected() called with disconnect_reason().
  [[nodiscard]] bool handle_input(TimePoint now, std::size_t count);
  [[nodiscard]] const std::string& disconnect_reason() const { return disconnect_reason_; }
  /// What is to be sent; consume_output() as it is.
  [[nodiscard]] std::span<const std::byte> output() const { return writer_.pending(); }
  [[nodiscard]] bool has_output() const { return !writer_.empty(); }
  void consume_output(std::size_t count);

  // --- time ---
  /// False as handle_input()'s.
  [[nodiscard]] bool handle_timeout(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_timeout() const;
  /// When to connect again; nothing while connected or closed.
  [[nodiscard]] std::optional<TimePoint> connect_at() const { return connect_at_; }

  // --- calls of this program ---
  void start(PendingCall& call, Waker waker, TimePoint now);
  void drop(PendingCall& call);

  // --- calls for this program ---
  /// `error` null: succeeded. Ignored if that connection is gone.
  void reply(std::uint64_t connection, std::uint64_t call_id, const Error* error, std::span<const std::byte> result);

  // --- the end ---
  /// Refuses new calls from the node, so that they go elsewhere.
  void drain() { is_draining_ = true; }
  /// Says goodbye and ends for good: what is under way fails with kUnavailable.
  void close(std::string_view reason);

  /// Wakers of what became done; the owner wakes them outside its lock.
  [[nodiscard]] std::vector<Waker>& wakes() { return wakes_; }

  [[nodiscard]] State state() const { return state_; }
  /// The node has acknowledged the functions, or there are none and it has said welcome.
  [[nodiscard]] bool is_registered() const { return is_registered_; }
  /// Why the last attempt to connect failed, or why the session is closed.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] const std::string& node_name() const { return node_name_; }
  [[nodiscard]] std::uint64_t connection() const { return connection_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_count_; }
  [[nodiscard]] std::uint64_t late_results() const { return late_results_; }

 private:
  /// A place in the table of calls in flight; its index and generation are the call id, so that a late result finds out
  /// that it is late without a search.
  struct Slot {
    PendingCall* call = nullptr;  ///< null: dropped, its result is still to come, or free
    std::uint32_t generation = 0;
    bool is_used = false;
  };
  /// A function with rules that has been, or is to be, prepared at the node.
  struct Template {
    CallTarget* target = nullptr;
    std::shared_ptr<const PlacementData> rules;
    std::uint64_t connection = 0;  ///< on which it was prepared last
    std::uint32_t wire_id = 0;     ///< its number there
  };

  bool handle_frame(const wire::FrameView& frame, TimePoint now);
  bool handle_welcome(const wire::FrameView& frame, TimePoint now);
  bool handle_goodbye(const wire::FrameView& frame);
  bool handle_call(const wire::FrameView& frame, TimePoint now);
  void handle_result(const wire::FrameView& frame, TimePoint now);
  bool disconnect(std::string reason);
  bool refuse(std::string reason);

  void send(PendingCall& call, TimePoint now);
  void send_waiting(TimePoint now);
  void send_message(wire::FrameKind kind, std::string_view metadata, wire::FrameHeader header = {});
  void register_functions();
  std::uint32_t find_template(PendingCall& call);
  std::uint32_t add_template(PendingCall& call);
  std::uint32_t prepare(Template& prepared);
  std::uint32_t take_slot();
  void free_slot(std::uint32_t index);

  void finish(PendingCall& call, std::optional<Error> error);
  [[nodiscard]] Error unavailable(std::string_view what) const;
  void fail_waiting(const Error& error);
  void settle_in_flight(std::string_view reason);
  void enqueue(PendingCall& call);
  void enqueue_front(PendingCall& call);
  void unlink(PendingCall& call);

  SessionOptions options_;
  FunctionTable functions_;
  SessionEvents& events_;
  const std::uint32_t id_;  ///< of this session in this process, for PlacementData::prepared

  State state_ = State::kDisconnected;
  std::optional<wire::FrameReader> reader_;
  wire::FrameWriter writer_;
  std::uint64_t consumed_ = 0;  ///< bytes of output sent on this connection
  std::uint64_t connection_ = 0;
  std::uint32_t next_wire_id_ = 1;
  std::uint32_t credits_ = 0;
  std::uint32_t max_frame_bytes_ = wire::kMaxFrameBytes;
  bool is_registered_ = false;
  bool is_draining_ = false;
  bool was_ready_ = false;  ///< at least once
  std::string node_name_;
  std::string disconnect_reason_;
  std::optional<Error> failure_;

  base::Backoff backoff_;
  std::optional<TimePoint> connect_at_ = TimePoint::min();
  std::optional<TimePoint> handshake_deadline_;
  std::optional<TimePoint> give_up_at_;  ///< when what waits for a connection fails

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::size_t in_flight_ = 0;
  PendingCall* first_waiting_ = nullptr;
  PendingCall* last_waiting_ = nullptr;
  std::size_t waiting_count_ = 0;
  std::vector<Waker> wakes_;
  std::uint64_t late_results_ = 0;

  std::vector<Template> templates_;                                           ///< by template id minus one
  std::vector<std::uint32_t> default_templates_;                              ///< by CallTarget::dense_index(); 0: none
  std::unordered_multimap<std::uint64_t, std::uint32_t> templates_by_rules_;  ///< by the hash of rules and target
};

}  // namespace kaido::detail
