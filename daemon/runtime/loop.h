/// The node strand: one thread's event loop, which works in turns.
///
/// A turn waits, lets every data connection that has bytes read once and handle its complete frames, runs the turn
/// hooks (the cores settle), and then flushes every connection with output once. Asio stays the loop for everything
/// else: each of its handlers (accept, resolve, timers, signals, HTTP) is a turn too, so that what it sends is flushed
/// the same way. The data connections live in an epoll set of their own, whose descriptor Asio waits on: a turn sees
/// all that is ready.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "proto/base/check.h"
#include "proto/base/time.h"

namespace boost::asio {
class io_context;
}

namespace kaido::daemon {

/// What a source waits for, and what the loop reports to it.
struct Readiness {
  bool readable = false;
  bool writable = false;
  auto operator<=>(const Readiness&) const = default;
};

/// Something that has bytes to read or room to write, now and then: a data connection, a listener of the memory
/// transport.
class IoSource {
 public:
  /// Called in a turn. May unwatch or destroy any source, itself included.
  virtual void on_ready(Readiness ready) = 0;

 protected:
  ~IoSource() = default;
};

/// Something with output that is gathered during a turn and written once at its end.
class TurnOutput {
 public:
  /// Called once at the end of the turn in which it was marked, after the hooks. May destroy itself.
  virtual void flush() = 0;

 protected:
  virtual ~TurnOutput() = default;

 private:
  friend class Loop;
  std::uint32_t marked_ = 0;  // position in the loop's list plus one; 0 = not marked
};

/// Called at the end of every turn, before the flush: here cores are drained and their effects become frames.
class TurnHook {
 public:
  virtual void on_turn_end(base::Instant now) = 0;

 protected:
  ~TurnHook() = default;
};

/// Names a watched source. A stale token is harmless: the loop knows that its source is gone.
struct WatchToken {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // 0 = nothing is watched
  [[nodiscard]] bool valid() const { return generation != 0; }
};

/// What the loop counted since it was made; read on the loop's own thread.
struct LoopStats {
  std::uint64_t turns = 0;
  std::uint64_t data_turns = 0;     // turns in which a data connection was ready
  std::uint64_t data_events = 0;    // connections found ready, summed over turns
  std::uint64_t flushes = 0;        // outputs flushed, summed over turns
  std::uint64_t posts = 0;          // functions that arrived by post()
  base::Duration turn_time_max{0};  // longest time between waking and having flushed
  base::Duration busy_time{0};      // time spent in turns, waiting not counted
};

/// The loop of one node.
///
/// Threading: confined to the thread that calls run(); post() and stop() are thread-safe.
/// Lifetime: must outlive all that is watched, hooked or marked, and all Asio objects made on io().
/// Errors: a failing epoll or eventfd is a CHECK; an exception out of a handler ends run() with it.
class Loop final : public base::Clock {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Turns until stop() was called. May be called again afterwards.
  void run();

  /// Ends run() after the turn at work, its flush included. Thread-safe.
  void stop();

  /// Turns until `done` holds or `limit` has passed; says whether it held. For tests and for orderly shutdown.
  bool run_until(const std::function<bool()>& done, base::Duration limit);

  /// Runs `function` in a later turn, in the order of posting. Thread-safe.
  void post(std::function<void()> function);

  /// The time at which this turn began; outside a turn, the time. Steady clock.
  [[nodiscard]] base::Instant now() const override;

  /// This turn has lasted so long that what can wait is left to the next one. A source that has a lot to do asks now
  /// and then, stops, and marks itself.
  [[nodiscard]] bool is_turn_long() const;

  /// For what Asio does: accept, resolve, timers, signals, HTTP. Its handlers run on this loop's thread.
  [[nodiscard]] boost::asio::io_context& io();

  /// True on the loop's thread, and anywhere while nobody runs it.
  [[nodiscard]] bool is_current() const;

  /// Hooks run in the order of addition. A hook may be removed in a turn, its own included.
  void add_hook(TurnHook& hook);
  void remove_hook(TurnHook& hook);

  /// Watches a descriptor, level-triggered. The descriptor stays the caller's, who unwatches before closing it.
  [[nodiscard]] WatchToken watch(int descriptor, IoSource& source, Readiness interest);

  /// Watches something without a descriptor: ready only when make_ready() says so.
  [[nodiscard]] WatchToken watch(IoSource& source);

  void set_interest(WatchToken token, Readiness interest);

  /// Nothing is reported to the source after this, not even in the turn at work.
  void unwatch(WatchToken token);

  /// Reports `ready` to the source in the next turn, which does not wait: there is more to read than one turn should.
  void make_ready(WatchToken token, Readiness ready);

  /// Said by a source inside on_ready(): all there was is read, and something new must happen before there is more.
  /// Saves the next turn a look; without it nothing is lost.
  void note_drained();

  /// Has `output` flushed at the end of this turn; marking twice is marking once.
  void mark(TurnOutput& output);

  /// Forgets a mark; for destructors.
  void unmark(TurnOutput& output);

  [[nodiscard]] const LoopStats& stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kaido::daemon

/// A thread-confined entry point begins with this.
#define KAIDO_CHECK_ON(loop) KAIDO_CHECK((loop).is_current())
