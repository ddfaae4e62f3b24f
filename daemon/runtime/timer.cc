#include "daemon/runtime/timer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/runtime/loop.h"

namespace kaido::daemon {
namespace {

// What is further away is waited for in steps: additions to it cannot overflow then.
constexpr base::Duration kStep = std::chrono::hours(24);

}  // namespace

/// Shared with the handler under way, which outlives the Timer by a turn when that is destroyed.
struct Timer::State : std::enable_shared_from_this<Timer::State> {
  State(Loop& on_loop, std::function<void()> callback)
      : loop(on_loop), on_expiry(std::move(callback)), timer(on_loop.io()) {}

  void set(std::optional<base::Instant> expiry) {
    wanted = expiry;
    if (!wanted || (armed && *armed <= *wanted)) return;
    arm();
  }

  void arm() {
    armed = std::min(*wanted, loop.now() + kStep);
    timer.expires_at(std::chrono::steady_clock::time_point(armed->time_since_epoch()));
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error) self->fire();
    });
  }

  void fire() {
    armed.reset();
    if (!wanted) return;
    if (*wanted > loop.now()) {
      arm();
      return;
    }
    wanted.reset();
    on_expiry();
  }

  Loop& loop;
  std::function<void()> on_expiry;
  boost::asio::steady_timer timer;
  std::optional<base::Instant> wanted;
  std::optional<base::Instant> armed;  // when the steady_timer fires: never after `wanted`
};

Timer::Timer(Loop& loop, std::function<void()> on_expiry)
    : state_(std::make_shared<State>(loop, std::move(on_expiry))) {}

Timer::~Timer() {
  state_->wanted.reset();
  state_->timer.cancel();
}

void Timer::set(std::optional<base::Instant> expiry) { state_->set(expiry); }
void Timer::set_after(base::Duration delay) { state_->set(state_->loop.now() + delay); }
std::optional<base::Instant> Timer::expiry() const { return state_->wanted; }

}  // namespace kaido::daemon
