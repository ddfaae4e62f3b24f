#include "daemon/runtime/loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

namespace kaido::daemon {
namespace {

namespace asio = boost::asio;

// How many ready sources one look at the set takes. The kernel rotates those that stay ready, so that nobody starves.
constexpr int kEventsPerTurn = 256;

// How long a turn goes on reading. Sources that are ready and were not reported by then come first in the next turn:
// timers, and what is to be sent, do not wait for all of them. Longer turns carry more with one system call; a shorter
// bound would cut those of a busy node, which take a few ms.
constexpr base::Duration kReadingTimeMax = std::chrono::milliseconds(20);

// How often a turn's end is repeated because flushing one output made another (a closed connection settles calls whose
// results go elsewhere). What is left then waits for the next turn, which does not wait.
constexpr int kFlushRounds = 4;

base::Instant steady_now() {
  return base::Instant(std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

std::uint32_t epoll_events(Readiness interest) {
  // EPOLLRDHUP tells a stream that has ended from one that has merely been read to its end: see report_data().
  return (interest.readable ? EPOLLIN | EPOLLRDHUP : 0U) | (interest.writable ? EPOLLOUT : 0U);
}

bool has_ended(std::uint32_t events) { return (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0; }

// A hang-up or an error is found by the operation that the source is waiting to do.
Readiness from_epoll(std::uint32_t events) {
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  return {broken || (events & (EPOLLIN | EPOLLRDHUP)) != 0, broken || (events & EPOLLOUT) != 0};
}

Readiness operator&(Readiness a, Readiness b) { return {a.readable && b.readable, a.writable && b.writable}; }
Readiness operator|(Readiness a, Readiness b) { return {a.readable || b.readable, a.writable || b.writable}; }
bool any(Readiness readiness) { return readiness.readable || readiness.writable; }

}  // namespace

class Loop::Impl {
 public:
  // Assigning the descriptor registers it with Asio's reactor, edge-triggered, and that is all: no operation waits on
  // it. When our set becomes ready, run_one() finds an event without an operation, counts it as one handler run, and
  // returns. That is how Boost 1.81 works rather than what it documents (every test of this room and of net depends on
  // it); the documented way, a new async_wait() each turn, costs an epoll_ctl() that here takes as long as the other
  // calls together.
  Impl() : work_(io_.get_executor()), data_set_(io_, make_epoll()) {}

  void run() {
    const Running running(*this);
    while (!stop_requested_.exchange(false)) turn(std::nullopt);
  }

  bool run_until(const std::function<bool()>& done, base::Duration limit) {
    const Running running(*this);
    const base::Instant end = steady_now() + limit;
    while (!done()) {
      const base::Duration left = end - steady_now();
      if (left <= base::Duration::zero()) return false;
      turn(left);
    }
    return true;
  }

  void stop() {
    stop_requested_ = true;
    asio::post(io_, [] {});
  }

  void post(std::function<void()> function) {
    {
      const std::lock_guard lock(posted_mutex_);
      posted_.push_back(std::move(function));
      if (posted_.size() != 1) return;  // the first of a batch has already asked for a turn
    }
    asio::post(io_, [this] { run_posted(); });
  }

  [[nodiscard]] base::Instant now() const {
    if (!in_turn_) return steady_now();
    if (!turn_began_) turn_began_ = steady_now();
    return *turn_began_;
  }

  [[nodiscard]] bool is_turn_long() const { return in_turn_ && steady_now() - now() >= kReadingTimeMax; }

  [[nodiscard]] bool is_current() const {
    const std::thread::id owner = owner_.load(std::memory_order_relaxed);
    return owner == std::thread::id() || owner == std::this_thread::get_id();
  }

  void add_hook(TurnHook& hook) { hooks_.push_back(&hook); }

  void remove_hook(TurnHook& hook) {
    // In place, so that a walk over the hooks stays valid; the hole is closed after the walk.
    std::replace(hooks_.begin(), hooks_.end(), &hook, static_cast<TurnHook*>(nullptr));
  }

  WatchToken watch(int descriptor, IoSource& source, Readiness interest) {
    std::uint32_t index = 0;
    if (free_slots_.empty()) {
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_slots_.back();
      free_slots_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.source = &source;
    slot.descriptor = descriptor;
    slot.interest = {};
    slot.ready = {};
    const WatchToken token{index, slot.generation};
    if (descriptor >= 0) set_interest(token, interest);
    return token;
  }

  void set_interest(WatchToken token, Readiness interest) {
    Slot* const slot = find(token);
    if (slot == nullptr || slot->descriptor < 0 || slot->interest == interest) return;
    // Without any interest the descriptor leaves the set: epoll would go on reporting a hang-up that nobody acts on.
    const int operation = !any(interest) ? EPOLL_CTL_DEL : any(slot->interest) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    epoll_event event{};
    event.events = epoll_events(interest);
    event.data.u64 = static_cast<std::uint64_t>(token.generation) << 32 | token.index;
    KAIDO_CHECK(::epoll_ctl(data_set_.native_handle(), operation, slot->descriptor, &event) == 0);
    slot->interest = interest;
  }

  void unwatch(WatchToken token) {
    Slot* const slot = find(token);
    if (slot == nullptr) return;
    set_interest(token, {});
    slot->source = nullptr;
    if (++slot->generation == 0) slot->generation = 1;
    free_slots_.push_back(token.index);
  }

  void make_ready(WatchToken token, Readiness ready) {
    Slot* const slot = find(token);
    if (slot == nullptr || !any(ready)) return;
    if (!any(slot->ready)) ready_.push_back(token);
    slot->ready = slot->ready | ready;
  }

  void note_drained() { drained_ = true; }

  void mark(TurnOutput& output) {
    if (output.marked_ != 0) return;
    outputs_.push_back(&output);
    output.marked_ = static_cast<std::uint32_t>(outputs_.size());
  }

  void unmark(TurnOutput& output) {
    if (output.marked_ == 0) return;
    outputs_[output.marked_ - 1] = nullptr;
    output.marked_ = 0;
  }

  asio::io_context& io() { return io_; }
  [[nodiscard]] const LoopStats& stats() const { return stats_; }

 private:
  struct Slot {
    IoSource* source = nullptr;
    std::uint32_t generation = 1;
    int descriptor = -1;
    Readiness interest;
    Readiness ready;  // by make_ready(), not yet reported
  };

  // Who runs the loop, for as long as it is run.
  class Running {
   public:
    explicit Running(Impl& loop) : loop_(loop) {
      KAIDO_CHECK(loop_.owner_.load() == std::thread::id());  // run() inside run() would end in the wrong one
      loop_.owner_ = std::this_thread::get_id();
    }
    ~Running() {
      loop_.in_turn_ = false;
      loop_.turn_began_.reset();
      loop_.owner_ = std::thread::id();
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Impl& loop_;
  };

  static int make_epoll() {
    const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
    KAIDO_CHECK(descriptor >= 0);
    return descriptor;
  }

  Slot* find(WatchToken token) {
    if (token.index >= slots_.size()) return nullptr;
    Slot& slot = slots_[token.index];
    return slot.source != nullptr && slot.generation == token.generation ? &slot : nullptr;
  }

  // One Asio handler, or all ready data connections; then the turn's end.
  void turn(std::optional<base::Duration> wait_max) {
    in_turn_ = true;
    if (more_data_ || !ready_.empty() || !outputs_.empty()) {
      io_.poll_one();
    } else if (wait_max) {
      io_.run_one_for(*wait_max);
    } else {
      io_.run_one();
    }
    const base::Instant began = now();
    if (!ready_.empty()) report_ready();
    report_data();
    finish_turn();
    ++stats_.turns;
    const base::Duration taken = steady_now() - began;
    stats_.busy_time += taken;
    stats_.turn_time_max = std::max(stats_.turn_time_max, taken);
    turn_began_.reset();
    in_turn_ = false;
  }

  // Asio reports our set when something new happens in it, so that what is left over must be remembered here: a source
  // that did not say it is drained, one that has ended (the end may have been there already when it was read to its
  // last byte, and will not happen again), or more sources than one look takes.
  void report_data() {
    more_data_ = next_event_ != event_count_;  // what was left is not all: the set is looked at in the next turn
    if (!more_data_) look_at_data();
    if (next_event_ == event_count_) return;
    ++stats_.data_turns;
    while (next_event_ != event_count_) {
      const epoll_event& event = events_[next_event_++];
      ++stats_.data_events;
      const WatchToken token{static_cast<std::uint32_t>(event.data.u64),
                             static_cast<std::uint32_t>(event.data.u64 >> 32)};
      const Slot* const slot = find(token);
      if (slot == nullptr) continue;  // unwatched by a source that was reported before it
      const Readiness ready = from_epoll(event.events) & slot->interest;
      drained_ = false;
      if (any(ready)) slot->source->on_ready(ready);
      if (!drained_ || has_ended(event.events)) more_data_ = true;
      if (next_event_ == event_count_ || !is_turn_long()) continue;
      more_data_ = true;
      return;
    }
  }

  void look_at_data() {
    const int count = ::epoll_wait(data_set_.native_handle(), events_.data(), kEventsPerTurn, 0);
    more_data_ = count == kEventsPerTurn;
    next_event_ = 0;
    event_count_ = static_cast<std::size_t>(std::max(count, 0));
  }

  void report_ready() {
    std::vector<WatchToken> reported;
    reported.swap(ready_);
    for (const WatchToken token : reported) {
      Slot* const slot = find(token);
      if (slot == nullptr) continue;
      slot->source->on_ready(std::exchange(slot->ready, {}));
    }
  }

  void finish_turn() {
    std::size_t flushed = 0;
    for (int round = 0; round < kFlushRounds; ++round) {
      run_hooks();
      const std::size_t end = outputs_.size();
      if (flushed == end) break;
      for (; flushed < end; ++flushed) {
        TurnOutput* const output = std::exchange(outputs_[flushed], nullptr);
        if (output == nullptr) continue;
        output->marked_ = 0;
        ++stats_.flushes;
        output->flush();
      }
    }
    // What the last round's flushes caused that is no output yet becomes one now, and is flushed in the next turn.
    if (flushed != 0) run_hooks();
    outputs_.erase(outputs_.begin(), outputs_.begin() + static_cast<std::ptrdiff_t>(flushed));
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i] != nullptr) outputs_[i]->marked_ = static_cast<std::uint32_t>(i + 1);
    }
  }

  void run_hooks() {
    const base::Instant at = now();
    for (std::size_t i = 0; i < hooks_.size(); ++i) {
      if (hooks_[i] != nullptr) hooks_[i]->on_turn_end(at);
    }
    std::erase(hooks_, nullptr);
  }

  void run_posted() {
    std::vector<std::function<void()>> functions;
    {
      const std::lock_guard lock(posted_mutex_);
      functions.swap(posted_);
    }
    stats_.posts += functions.size();
    for (const auto& function : functions) function();
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::posix::stream_descriptor data_set_;
  bool more_data_ = false;  // the set may have something that Asio will not report
  bool drained_ = false;    // said by the source being reported
  std::array<epoll_event, kEventsPerTurn> events_;
  std::size_t next_event_ = 0;  // of those that were found and are not reported yet; a long turn leaves some
  std::size_t event_count_ = 0;

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<WatchToken> ready_;
  std::vector<TurnHook*> hooks_;
  std::vector<TurnOutput*> outputs_;
  LoopStats stats_;

  bool in_turn_ = false;
  mutable std::optional<base::Instant> turn_began_;  // read when first asked for: the wait is over then
  std::atomic<std::thread::id> owner_{};
  std::atomic<bool> stop_requested_{false};

  // Last, so that they go first: what a posted function holds may be watched or marked.
  std::mutex posted_mutex_;  // a leaf: nothing is called under it
  std::vector<std::function<void()>> posted_;
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() { impl_->run(); }
void Loop::stop() { impl_->stop(); }
bool Loop::run_until(const std::function<bool()>& done, base::Duration limit) { return impl_->run_until(done, limit); }
void Loop::post(std::function<void()> function) { impl_->post(std::move(function)); }
base::Instant Loop::now() const { return impl_->now(); }
bool Loop::is_turn_long() const { return impl_->is_turn_long(); }
boost::asio::io_context& Loop::io() { return impl_->io(); }
bool Loop::is_current() const { return impl_->is_current(); }
void Loop::add_hook(TurnHook& hook) { impl_->add_hook(hook); }
void Loop::remove_hook(TurnHook& hook) { impl_->remove_hook(hook); }

WatchToken Loop::watch(int descriptor, IoSource& source, Readiness interest) {
  KAIDO_CHECK(descriptor >= 0);
  return impl_->watch(descriptor, source, interest);
}

WatchToken Loop::watch(IoSource& source) { return impl_->watch(-1, source, {}); }
void Loop::set_interest(WatchToken token, Readiness interest) { impl_->set_interest(token, interest); }
void Loop::unwatch(WatchToken token) { impl_->unwatch(token); }
void Loop::make_ready(WatchToken token, Readiness ready) { impl_->make_ready(token, ready); }
void Loop::note_drained() { impl_->note_drained(); }
void Loop::mark(TurnOutput& output) { impl_->mark(output); }
void Loop::unmark(TurnOutput& output) { impl_->unmark(output); }
const LoopStats& Loop::stats() const { return impl_->stats(); }

}  // namespace kaido::daemon
