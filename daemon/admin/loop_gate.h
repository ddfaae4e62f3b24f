/// How a thread that may wait asks the loop, which may not: a question is posted, its answer awaited with a deadline.
#pragma once

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
/// Errors: kDeadlineExceeded when no answer came in time, kUnavailable once closed.
class LoopGate : public std::enable_shared_from_this<LoopGate> {
 public:
  using Post = std::function<void(std::function<void()>)>;
  template <class T>
  using Answer = std::function<void(base::StatusOr<T>)>;

  explicit LoopGate(Post post) : post_(std::move(post)) {}

  /// Runs `question` on the loop; it has to call its argument there, once, now or later. Later calls are ignored.
  template <class T>
  [[nodiscard]] base::StatusOr<T> ask(std::chrono::nanoseconds timeout, std::function<void(Answer<T>)> question);

  /// Every waiting ask() returns; no question is run any more.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
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
base::StatusOr<T> LoopGate::ask(std::chrono::nanoseconds timeout, std::function<void(Answer<T>)> question) {
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
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this, &answer] { return closed_ || answer->has_value(); });
  if (answer->has_value()) {
    return std::move(**answer);
  }
  if (closed_) {
    return absl::UnavailableError("the node is stopping");
  }
  return absl::DeadlineExceededError("the node did not answer in time");
}

}  // namespace kaido::daemon
