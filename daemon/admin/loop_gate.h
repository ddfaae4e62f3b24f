/// How a thread that may wait asks the loop, which may not: a question is posted, its answer awaited with a deadline.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "proto/base/status.h"

namespace kaido::daemon {

/// Threading: ask() from any thread but the loop's; close() on the loop's thread, so that no question runs while it is
/// called or after it.
/// Lifetime: shared; what is still posted when everything else is gone finds the gate closed.
/// Errors: kDeadlineExceeded when no answer came in time, kUnavailable once closed, kCancelled when it became
/// pointless.
class LoopGate : public std::enable_shared_from_this<LoopGate> {
 public:
  using Post = std::function<void(std::function<void()>)>;
  template <class T>
  using Answer = std::function<void(base::StatusOr<T>)>;

  explicit LoopGate(Post post) : post_(std::move(post)) {}

  /// Runs `question` on the loop; it has to call its argument there, once, now or later. Later calls are ignored.
  /// `is_pointless`, if given, is asked every now and then whether somebody still waits for the answer.
  template <class T>
  [[nodiscard]] base::StatusOr<T> ask(std::chrono::nanoseconds timeout, std::function<void(Answer<T>)> question,
                                      const std::function<bool()>& is_pointless = {});

  /// Runs `order` on the loop, unless the gate is closed by then.
  void tell(std::function<void()> order) {
    post_([self = shared_from_this(), order = std::move(order)] {
      if (!self->is_closed()) order();
    });
  }

  /// Every waiting ask() returns; no question is run any more.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  /// How late it may be noticed that nobody waits for an answer any more.
  static constexpr std::chrono::milliseconds kLook{50};

  [[nodiscard]] bool is_closed() {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

  const Post post_;
  std::mutex mutex_;  // a leaf: nothing is called under it
  std::condition_variable changed_;
  bool closed_ = false;  // guarded by mutex_, as are all answers
};

template <class T>
base::StatusOr<T> LoopGate::ask(std::chrono::nanoseconds timeout, std::function<void(Answer<T>)> question,
                                const std::function<bool()>& is_pointless) {
  const auto answer = std::make_shared<std::optional<base::StatusOr<T>>>();
  post_([self = shared_from_this(), answer, question = std::move(question)] {
    if (self->is_closed()) {
      return;
    }
    question([self, answer](base::StatusOr<T> value) {
      const std::lock_guard lock(self->mutex_);
      if (!answer->has_value()) {
        answer->emplace(std::move(value));
        self->changed_.notify_all();
      }
    });
  });
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const auto is_decided = [this, &answer] { return closed_ || answer->has_value(); };
  std::unique_lock lock(mutex_);
  if (!is_pointless) changed_.wait_until(lock, deadline, is_decided);
  while (is_pointless && !is_decided() && std::chrono::steady_clock::now() < deadline) {
    if (changed_.wait_until(lock, std::min(deadline, std::chrono::steady_clock::now() + kLook), is_decided)) break;
    lock.unlock();
    if (is_pointless()) return absl::CancelledError("nobody waits for the answer");
    lock.lock();
  }
  if (answer->has_value()) {
    return std::move(**answer);
  }
  if (closed_) {
    return absl::UnavailableError("the node is stopping");
  }
  return absl::DeadlineExceededError("the node did not answer in time");
}

}  // namespace kaido::daemon
