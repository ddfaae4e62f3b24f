/// Timers on the loop: one-shot, cheap to move, cancelled by destruction.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "proto/base/time.h"

namespace kaido::daemon {

class Loop;

/// Calls `on_expiry` once, at or soon after the instant it was last set to.
///
/// Made for the cores' next_timeout(), which is asked for after every turn: setting a later instant than the armed one
/// touches no timer at all (the timer fires, looks, and sleeps on), and neither does clearing. An early wake-up now and
/// then is the price. It never fires early towards the callback, and up to a millisecond late.
///
///     Timer timer(loop, [&] { core.handle_timeout(loop.now()); });
///     timer.set(core.next_timeout());                       // at each turn's end
///
/// Threading: confined to the loop's thread.
/// Lifetime: must not outlive the loop. May be destroyed or set again inside its own callback.
class Timer final {
 public:
  Timer(Loop& loop, std::function<void()> on_expiry);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(std::optional<base::Instant> expiry);
  void set_after(base::Duration delay);
  void clear() { set(std::nullopt); }

  [[nodiscard]] std::optional<base::Instant> expiry() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kaido::daemon
