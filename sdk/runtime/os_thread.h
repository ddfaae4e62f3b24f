/// OsThread: std::thread with a stack size.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>

namespace kaido::inline abi0::detail {

/// Threading: confined.
/// Lifetime: join() or detach() before it goes.
class OsThread {
 public:
  /// `stack_bytes` 0: the system's default. Throws std::system_error.
  OsThread(std::size_t stack_bytes, std::function<void()> body) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    int failure = stack_bytes != 0 ? pthread_attr_setstacksize(&attributes, stack_bytes) : 0;
    auto owned = std::make_unique<std::function<void()>>(std::move(body));
    if (failure == 0) failure = pthread_create(&thread_, &attributes, &OsThread::run, owned.get());
    pthread_attr_destroy(&attributes);
    if (failure != 0) throw std::system_error(failure, std::generic_category(), "starting a thread");
    static_cast<void>(owned.release());  // The thread's now.
  }

  [[nodiscard]] pthread_t id() const noexcept { return thread_; }
  void join() noexcept { pthread_join(thread_, nullptr); }
  void detach() noexcept { pthread_detach(thread_); }

 private:
  static void* run(void* body) {
    const std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(body));
    (*owned)();
    return nullptr;
  }

  pthread_t thread_{};
};

}  // namespace kaido::inline abi0::detail
