/// A one-shot timer on the loop: cheap to move, cancelled by destruction.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "proto/base/time.h"

namespace kaido::daemon {

class Loop;

/// Calls `on_expiry` once, in a turn of its own, at or soon after the instant it was last set to; never before.
///
/// Made for the cores' next_timeout(), which is asked for after every turn: setting a later instant than the armed one
/// touches no system timer (it fires, looks, and sleeps on), and neither does clearing. An early wake-up now and then
/// is the price.
///
///     Timer timer(loop, [&] { core.handle_timeout(loop.now()); });
///     timer.set(core.next_timeout());                       // at each turn's end
///
/// Threading: confined to the loop's thread.
/// Lifetime: must not outlive the loop. May be set again inside its own callback, and destroyed there.
class Timer final {
 public:
  Timer(Loop& loop, std::function<void()> on_expiry);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(std::optional<base::Instant> expiry);
  void set_after(base::Duration delay);
  void clear() { set(std::nullopt); }

  /// Empty when it is not set, or has fired.
  [[nodiscard]] std::optional<base::Instant> expiry() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kaido::daemon
