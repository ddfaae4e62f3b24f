// Every combination of how a task ends, how its JoinHandle is used, and when and by what it is aborted: on each
// flavour, alone and in a LocalSet. The task waits twice, for its first poll and for permission to end, so that each
// combination has exactly one right outcome.
#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/local_set.h>
#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

// Points in a task's life, in order. What happens at a point happens in the order: abort, drop of the abort handle,
// drop of the join handle.
enum class Point { kNever, kAtOnce, kFirstPoll, kAfterFinish, kAfterTaken };
constexpr Point kPoints[] = {Point::kNever, Point::kAtOnce, Point::kFirstPoll, Point::kAfterFinish, Point::kAfterTaken};
enum class Source { kJoinHandle, kAbortHandle };

struct Combination {
  bool throws = false;
  bool is_join_polled = false;
  Point join_dropped = Point::kAfterTaken;     // Not kNever. kAfterTaken: the output is taken before.
  Point abort_handle_dropped = Point::kNever;  // kNever: there is none.
  Point aborted = Point::kNever;
  Source source = Source::kJoinHandle;

  [[nodiscard]] bool is_valid() const {
    if (join_dropped == Point::kNever) return false;
    if (aborted == Point::kNever) return source == Source::kJoinHandle;
    return aborted <= (source == Source::kJoinHandle ? join_dropped : abort_handle_dropped);
  }
  [[nodiscard]] bool is_cancelled() const { return aborted == Point::kAtOnce || aborted == Point::kFirstPoll; }
  [[nodiscard]] std::string text() const;
};

std::string name(Point point) {
  constexpr const char* kNames[] = {"never", "at once", "at first poll", "after finish", "after output taken"};
  return kNames[static_cast<std::size_t>(point)];
}

std::string Combination::text() const {
  return std::string("task ") + (throws ? "throws" : "ok") + "; join handle " +
         (is_join_polled ? "polled" : "not polled") + ", dropped " + name(join_dropped) + "; abort handle dropped " +
         name(abort_handle_dropped) + "; aborted " + name(aborted) + " by the " +
         (source == Source::kJoinHandle ? "join handle" : "abort handle");
}

// Counts of what the task made and what is gone.
struct Counts {
  std::atomic<int> frames = 0;
  std::atomic<int> outputs_made = 0;
  std::atomic<int> outputs = 0;
};

class Output {
 public:
  explicit Output(Counts& counts) noexcept : counts_(&counts) {
    ++counts_->outputs;
    ++counts_->outputs_made;
  }
  Output(Output&& other) noexcept : counts_(std::exchange(other.counts_, nullptr)) {}
  Output& operator=(Output&&) = delete;
  ~Output() {
    if (counts_ != nullptr) --counts_->outputs;
  }

 private:
  Counts* counts_;
};

class Frame {
 public:
  explicit Frame(Counts& counts) noexcept : counts_(&counts) { ++counts_->frames; }
  Frame(Frame&& other) noexcept : counts_(std::exchange(other.counts_, nullptr)) {}
  Frame& operator=(Frame&&) = delete;
  ~Frame() {
    if (counts_ != nullptr) --counts_->frames;
  }

 private:
  Counts* counts_;
};

Task<Output> subject(Frame, Counts* counts, bool throws, oneshot::Sender<int> polled, oneshot::Receiver<int> leave) {
  static_cast<void>(polled.send(1));
  static_cast<void>(co_await leave);
  if (throws) throw std::runtime_error("subject");
  co_return Output(*counts);
}

// Polls a JoinHandle once, as part of the awaiting task.
struct PollOnce {
  bool poll(PollContext& context) {
    is_ready = handle->poll(context);
    return true;
  }
  bool take() const { return is_ready; }
  JoinHandle<Output>* handle;
  bool is_ready = false;
};

class Run {
 public:
  explicit Run(Combination combination) : combination_(combination) {}

  Task<void> run(bool is_local) {
    auto [polled_sender, polled] = oneshot::channel<int>();
    auto [leave_sender, leave] = oneshot::channel<int>();
    auto task = subject(Frame(counts_), &counts_, combination_.throws, std::move(polled_sender), std::move(leave));
    join_ = is_local ? spawn_local(std::move(task)) : spawn(std::move(task));
    if (combination_.abort_handle_dropped != Point::kNever) abort_ = join_->abort_handle();
    if (combination_.is_join_polled) {
      PollOnce once{&*join_};
      const bool is_ready = co_await once;
      check(!is_ready, "the join handle is ready before the task has ended");
    }
    pass(Point::kAtOnce);
    // An error if it is destroyed before its first poll.
    static_cast<void>(co_await polled);
    pass(Point::kFirstPoll);
    // One that was aborted is not let go: on another worker it could end by itself before it sees the abort.
    if (!combination_.is_cancelled()) static_cast<void>(leave_sender.send(1));
    co_await until_finished();
    pass(Point::kAfterFinish);
    if (combination_.join_dropped == Point::kAfterTaken) co_await take_output();
    pass(Point::kAfterTaken);
    co_await until([this] { return counts_.outputs == 0; }, "the output is not destroyed");
    check(counts_.frames == 0, "the frame is not destroyed");
    const bool makes_output = !combination_.throws && !combination_.is_cancelled();
    check(counts_.outputs_made == (makes_output ? 1 : 0), "the task made an output, or not, wrongly");
  }

  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  void check(bool holds, const char* what) {
    if (!holds && failure_.empty()) failure_ = what;
  }

  void pass(Point point) {
    if (combination_.aborted == point) {
      if (combination_.source == Source::kJoinHandle) {
        join_->abort();
      } else {
        abort_->abort();
      }
    }
    if (combination_.abort_handle_dropped == point) abort_.reset();
    if (combination_.join_dropped == point) join_.reset();
  }

  // The task waits for nothing any more: it ends as soon as its scheduler has a turn.
  template <typename Condition>
  Task<void> until(Condition condition, const char* what) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > limit) {
        check(false, what);
        co_return;
      }
      co_await yield_now();
    }
  }

  Task<void> until_finished() {
    co_await until([this] { return counts_.frames == 0; }, "the task does not end");
    if (join_) co_await until([this] { return join_->is_finished(); }, "the join handle does not see the end");
    if (abort_) co_await until([this] { return abort_->is_finished(); }, "the abort handle does not see the end");
  }

  Task<void> take_output() {
    auto result = co_await *join_;
    if (combination_.is_cancelled()) {
      check(!result && result.error().is_cancelled(), "the result is not `cancelled`");
    } else if (combination_.throws) {
      check(!result && result.error().is_panic(), "the result is not `panicked`");
    } else {
      check(result.ok(), "the result is not the output");
      check(counts_.outputs == 1, "the output is destroyed already");
    }
  }

  const Combination combination_;
  Counts counts_;
  std::optional<JoinHandle<Output>> join_;
  std::optional<AbortHandle> abort_;
  std::string failure_;
};

template <typename F>
void for_each_combination(F&& check) {
  for (const bool throws : {false, true}) {
    for (const bool is_join_polled : {false, true}) {
      for (const Point join_dropped : kPoints) {
        for (const Point abort_handle_dropped : kPoints) {
          for (const Point aborted : kPoints) {
            for (const Source source : {Source::kJoinHandle, Source::kAbortHandle}) {
              Combination combination;
              combination.throws = throws;
              combination.is_join_polled = is_join_polled;
              combination.join_dropped = join_dropped;
              combination.abort_handle_dropped = abort_handle_dropped;
              combination.aborted = aborted;
              combination.source = source;
              if (combination.is_valid()) check(combination);
            }
          }
        }
      }
    }
  }
}

// 440 of them on each flavour, alone and in a LocalSet: 2640.
constexpr int kCombinations = 440;

void run_all(Runtime runtime, bool is_local) {
  int count = 0;
  for_each_combination([&](const Combination& combination) {
    ++count;
    Run run(combination);
    if (is_local) {
      LocalSet().block_on(runtime, run.run(true));
    } else {
      runtime.block_on(run.run(false));
    }
    EXPECT_EQ(run.failure(), "") << combination.text();
  });
  EXPECT_EQ(count, kCombinations);
}

TEST(task_combinations, current_thread) { run_all(current_thread(), false); }
TEST(task_combinations, current_thread_local_set) { run_all(current_thread(), true); }
TEST(task_combinations, multi_thread_1) { run_all(multi_thread(1), false); }
TEST(task_combinations, multi_thread_1_local_set) { run_all(multi_thread(1), true); }
TEST(task_combinations, multi_thread_2) { run_all(multi_thread(2), false); }
TEST(task_combinations, multi_thread_2_local_set) { run_all(multi_thread(2), true); }

}  // namespace
}  // namespace kaido::parity
