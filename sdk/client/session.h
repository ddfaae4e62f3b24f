/// Session: the app's side of docs/protocol/local.md as a state machine. Bytes and times in, bytes and wakes out.
///
/// It knows the handshake, what has been prepared, the calls in flight, the node's credit, and what becomes of all that
/// when the connection is lost and made again. It has no socket, no clock and no thread; NodeConnection gives it those.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kaido/detail/pending_call.h>
#include <kaido/detail/waker.h>
#include <kaido/error.h>
#include <kaido/placement.h>

#include "proto/base/backoff.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/wire/channel.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/payload.h"
#include "sdk/client/liveness.h"
#include "sdk/client/messages.h"
#include "sdk/client/template_cache.h"
#include "sdk/function/function_table.h"

namespace kaido::inline abi0::detail {

using TimePoint = std::chrono::steady_clock::time_point;

struct SessionOptions {
  std::string app_name = "app";
  SlotCounts slots{1, 256};  ///< of a kind of which there are none no functions are offered
  std::chrono::nanoseconds unavailable_after = std::chrono::seconds(5);
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(3);
  /// How many calls may wait for credit or for a connection; more are rejected.
  std::size_t max_waiting_calls = 65536;
  /// How many functions with rules are prepared at the node at a time; see TemplateCache.
  std::size_t max_templates = 4096;
  /// See Liveness.
  std::chrono::nanoseconds ping_interval = std::chrono::seconds(1);
  std::chrono::nanoseconds ping_limit = std::chrono::seconds(3);
  std::uint64_t seed = 1;  ///< of the jitter between attempts to connect
};

/// A call from the node for a function of this program.
struct IncomingCall {
  const FunctionEntry* function = nullptr;
  std::uint64_t call_id = 0;
  std::uint64_t connection = 0;  ///< which of the session's connections it came over; reply() wants it back
  std::uint32_t attempt = 1;
  std::optional<TimePoint> deadline;
  TraceContext trace;
  std::string_view node;                 ///< valid as long as the session
  std::span<const std::byte> info;       ///< kaido.v1.CallInfo, unparsed
  std::span<const std::byte> arguments;  ///< valid during the call of run(), unless `large` is taken
  /// Of arguments that came in chunks: their only handle, to be taken along instead of copied.
  wire::Payload large;
};

/// What a session asks of its owner, called from within its own functions: take a note, act later.
class SessionEvents {
 public:
  virtual void run(IncomingCall& call) = 0;
  virtual void cancel(std::uint64_t call_id) = 0;
  /// The connection is gone: nobody waits for what runs for the node.
  virtual void cancel_all() = 0;

 protected:
  ~SessionEvents() = default;
};

/// Threading: under its owner's lock.
/// Lifetime: PendingCalls are referred to until they are done or dropped.
class Session final : private wire::HoldListener {
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
  [[nodiscard]] std::span<std::byte> input_space() { return channel_->writable(); }
  /// False: the connection must be closed and handle_disconnected() called with disconnect_reason().
  [[nodiscard]] bool handle_input(TimePoint now, std::size_t count);
  [[nodiscard]] const std::string& disconnect_reason() const { return disconnect_reason_; }
  /// What is to be sent, in order: fills `segments` and says how many; consume_output() as it is.
  [[nodiscard]] std::size_t output(std::span<std::span<const std::byte>> segments) {
    return channel_ ? channel_->gather(segments) : 0;
  }
  [[nodiscard]] bool has_output() const { return channel_ && channel_->has_output(); }
  void consume_output(TimePoint now, std::size_t count);

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
  /// Succeeded with a result that is sent from where it lies: one of more than kChunkBytes.
  void reply_large(std::uint64_t connection, std::uint64_t call_id, Buffer&& result);
  /// The call waits for a remote one and gives its slot back, or goes on. Ignored if that connection is gone.
  void yield(std::uint64_t connection, std::uint64_t call_id) { tell(wire::FrameKind::kYield, connection, call_id); }
  void resume(std::uint64_t connection, std::uint64_t call_id) { tell(wire::FrameKind::kResume, connection, call_id); }

  // --- the end ---
  /// Refuses new calls from the node, so that they go elsewhere.
  void drain() { is_draining_ = true; }
  /// While draining: whether there is still something to be sent, such as results in chunks.
  [[nodiscard]] bool owes_results() const {
    return is_draining_ && channel_ &&
           (!waiting_results_.empty() || !channel_->is_flushed_of(wire::FrameKind::kResult));
  }
  /// Says goodbye and ends for good: what is under way fails with kUnavailable.
  void close(std::string_view reason);

  /// Wakers of what became done; the owner wakes them outside its lock.
  [[nodiscard]] std::vector<Waker>& wakes() { return wakes_; }
  /// Of calls for whose wakers there was no memory: done only now, to be woken outside the lock one by one.
  [[nodiscard]] bool has_unwoken() const { return unwoken_ != nullptr; }
  [[nodiscard]] Waker take_unwoken() {
    PendingCall& call = *std::exchange(unwoken_, unwoken_->next);
    Waker waker = std::move(call.waker);
    call.is_done.store(true, std::memory_order_release);
    return waker;
  }

  [[nodiscard]] State state() const { return state_; }
  /// The node has acknowledged the functions, or there are none and it has said welcome.
  [[nodiscard]] bool is_registered() const { return is_registered_; }
  /// Why the last attempt to connect failed, or why the session is closed.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  /// Valid as long as the session: functions at work refer to it.
  [[nodiscard]] std::string_view node_name() const { return node_name_; }
  [[nodiscard]] std::uint64_t connection() const { return connection_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_count_; }
  [[nodiscard]] std::uint64_t late_results() const { return late_results_; }
  [[nodiscard]] const TemplateCache& templates() const { return templates_; }

 private:
  /// A place in the table of calls in flight; its index and generation are the call id, so that a late result finds out
  /// that it is late without a search.
  struct Slot {
    PendingCall* call = nullptr;  ///< null: dropped, its result is still to come, or free
    std::uint32_t generation = 0;
    bool is_used = false;
    wire::Payload arguments;  ///< of a call whose arguments go in chunks: the call has lent them
  };
  bool handle_frame(wire::FrameView& frame, TimePoint now);
  bool handle_welcome(const wire::FrameView& frame, TimePoint now);
  bool handle_goodbye(const wire::FrameView& frame);
  bool handle_call(wire::FrameView& frame, TimePoint now);
  void on_hold(wire::FrameHeader& header) override;
  /// Of a call with a budget.
  [[nodiscard]] static TimePoint deadline_of(const wire::FrameHeader& call, TimePoint now);
  void handle_result(wire::FrameView& frame, TimePoint now);
  [[nodiscard]] bool is_to_follow(const wire::FrameView& failed) const;
  [[nodiscard]] static std::optional<Error> take_result(PendingCall& call, wire::FrameView& frame);
  void handle_prepared(const wire::FrameView& frame);
  bool disconnect(std::string reason);
  bool refuse(std::string reason);

  void send(PendingCall& call, TimePoint now);
  [[nodiscard]] std::optional<Error> try_send(PendingCall& call, TimePoint now);
  [[nodiscard]] std::optional<Error> try_prepare(PendingCall& call, std::uint32_t& number);
  void send_waiting(TimePoint now);
  void append(const wire::FrameHeader& header, std::span<const std::byte> metadata = {},
              std::span<const std::byte> payload = {});
  [[nodiscard]] bool has_room_for(const PendingCall& call) const;
  [[nodiscard]] wire::SendResult send_arguments(PendingCall& call, Slot& slot, const wire::FrameHeader& header);
  void take_back_arguments(PendingCall& call, Slot& slot);
  void send_waiting_results();
  void send_message(wire::FrameKind kind, std::string_view metadata, wire::FrameHeader header = {});
  void tell(wire::FrameKind kind, std::uint64_t connection, std::uint64_t call_id);
  [[nodiscard]] bool register_functions();
  void set_limits(const v1::Welcome& welcome);
  [[nodiscard]] std::size_t max_message_bytes() const;
  std::uint32_t take_slot();
  void free_slot(std::uint32_t index);

  void finish(PendingCall& call, std::optional<Error> error) noexcept;
  void fail_waiting(const Error& error) noexcept;
  void settle_in_flight(std::string_view reason) noexcept;
  void enqueue(PendingCall& call);
  void enqueue_front(PendingCall& call);
  void unlink(PendingCall& call);
  void forget_unwoken(const PendingCall& call) {
    PendingCall** link = &unwoken_;
    while (*link != nullptr && *link != &call) link = &(*link)->next;
    if (*link != nullptr) *link = call.next;
  }

  SessionOptions options_;
  FunctionTable functions_;
  SessionEvents& events_;

  State state_ = State::kDisconnected;
  std::optional<wire::Channel> channel_;  ///< while connected
  std::uint64_t consumed_ = 0;            ///< bytes of output sent on this connection
  TimePoint input_at_{};                  ///< when what is being handled arrived
  std::uint64_t connection_ = 0;
  std::uint32_t credits_ = 0;
  std::uint32_t max_frame_bytes_ = wire::kMaxFrameBytes;
  std::uint32_t max_metadata_bytes_ = wire::kMaxMetadataBytes;
  bool results_follow_ = false;  ///< one that was given up halfway is followed by another
  bool is_registered_ = false;
  bool is_draining_ = false;
  bool was_ready_ = false;            ///< at least once
  std::set<std::string> node_names_;  ///< that the node has had: one, unless it is given another and started again
  std::string_view node_name_;        ///< now, in that set
  std::string disconnect_reason_;
  std::optional<Error> failure_;

  base::Backoff backoff_;
  std::optional<TimePoint> served_since_;  ///< when the node took what this program is: its hello, or its functions
  std::optional<TimePoint> connect_at_ = TimePoint::min();
  std::optional<TimePoint> handshake_deadline_;
  Liveness liveness_;
  std::optional<TimePoint> give_up_at_;  ///< when what waits for a connection fails

  struct LargeResult {
    wire::FrameHeader header;
    wire::Payload payload;
  };
  std::deque<LargeResult> waiting_results_;  ///< until fewer large payloads are under way

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::size_t in_flight_ = 0;
  PendingCall* first_waiting_ = nullptr;
  PendingCall* last_waiting_ = nullptr;
  std::size_t waiting_count_ = 0;
  std::vector<Waker> wakes_;
  PendingCall* unwoken_ = nullptr;  ///< a list by `next`
  std::uint64_t late_results_ = 0;

  TemplateCache templates_;
};

}  // namespace kaido::inline abi0::detail
