#include "daemon/telemetry/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <utility>

namespace kaido::daemon {
namespace {

/// Waits for as long as the sink makes it wait. False if the sink takes nothing at all: closed, full, broken.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(descriptor, text.data(), text.size());
    if (size >= 0) {
      text.remove_prefix(static_cast<std::size_t>(size));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
    // Whoever shares the open file with us may have made it non-blocking.
    pollfd writable{.fd = descriptor, .events = POLLOUT, .revents = 0};
    ::poll(&writable, 1, -1);
  }
  return true;
}

}  // namespace

struct LogWriter::Shared {
  Shared(int the_descriptor, LogQueue the_queue) : descriptor(the_descriptor), queue(std::move(the_queue)) {}

  const int descriptor;
  std::mutex mutex;  // a leaf: protects what follows
  LogQueue queue;
  bool stopping = false;   // write out what is queued, and end
  bool abandoned = false;  // end after the write that is under way
  bool ended = false;
  std::condition_variable changed;
};

LogWriter::LogWriter(int descriptor, LogQueue queue, base::Duration flush_time_max)
    : shared_(std::make_shared<Shared>(descriptor, std::move(queue))),
      flush_time_max_(flush_time_max),
      thread_([shared = shared_] { run(shared); }) {
  ::pthread_setname_np(thread_.native_handle(), "kaido-log");
}

LogWriter::~LogWriter() {
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->changed.notify_all();
  const bool ended = shared_->changed.wait_for(lock, flush_time_max_, [this] { return shared_->ended; });
  shared_->abandoned = !ended;
  lock.unlock();
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void LogWriter::push(std::string line) {
  const std::lock_guard lock(shared_->mutex);
  const bool sleeps = shared_->queue.empty();
  shared_->queue.push(std::move(line));
  if (sleeps) shared_->changed.notify_all();
}

LogCounters LogWriter::counters() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->queue.counters();
}

void LogWriter::run(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (!shared->abandoned) {
    shared->changed.wait(lock, [&] { return shared->stopping || !shared->queue.empty(); });
    if (shared->queue.empty()) break;
    const LogQueue::Batch batch = shared->queue.take();
    lock.unlock();
    const bool written = write_all(shared->descriptor, batch.text);
    lock.lock();
    written ? shared->queue.written(batch) : shared->queue.lost(batch);
  }
  shared->ended = true;
  shared->changed.notify_all();
}

}  // namespace kaido::daemon
