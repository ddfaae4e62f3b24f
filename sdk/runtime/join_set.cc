#include <kaido/join_set.h>

#include <cstdint>
#include <mutex>
#include <utility>

#include <kaido/detail/futex_lock.h>

namespace kaido::inline abi0::detail {

/// Shared by the set and its entries: a task may end while, or after, the set goes.
///
/// Threading: everything below the lock is guarded by it. References: one of the set, one per entry.
class JoinSetState final : public WakeTarget {
 public:
  /// A member of the set, and what its task wakes when it ends.
  struct Entry final : public WakeTarget {
    Entry(JoinSetState& owner, TaskHeader& member) noexcept : WakeTarget(kOneRef), state(owner), task(&member) {
      state.add_ref();
    }
    ~Entry() override { state.drop_ref(); }
    void wake_by_ref() noexcept override { state.finished(*this); }
    void destroy() noexcept override { delete this; }

    JoinSetState& state;
    TaskHeader* task;  // With the JoinHandle's reference; the set's alone.
    Entry* previous = nullptr;
    Entry* next = nullptr;
    std::uint64_t aborts_seen = 0;
    bool is_finished = false;
    bool is_member = true;
  };

  struct List {
    Entry* first = nullptr;
    Entry* last = nullptr;
    void push_back(Entry& entry) noexcept {
      entry.previous = last;
      entry.next = nullptr;
      (last != nullptr ? last->next : first) = &entry;
      last = &entry;
    }
    void unlink(Entry& entry) noexcept {
      (entry.previous != nullptr ? entry.previous->next : first) = entry.next;
      (entry.next != nullptr ? entry.next->previous : last) = entry.previous;
    }
  };

  JoinSetState() noexcept : WakeTarget(kOneRef) {}
  ~JoinSetState() override = default;
  void wake_by_ref() noexcept override {}
  void destroy() noexcept override { delete this; }

  void finished(Entry& entry) noexcept {
    Waker woken;
    {
      std::scoped_lock lock(mutex);
      if (!entry.is_member || entry.is_finished) return;
      running.unlink(entry);
      entry.is_finished = true;
      ended.push_back(entry);
      woken = std::move(waiter);
    }
    woken.wake();
  }

  FutexLock mutex;
  List running;
  List ended;
  std::size_t size = 0;
  std::uint64_t aborts = 0;  // Calls of abort_all(); each moves the running entries behind one another once.
  Waker waiter;
};

JoinSetBase::JoinSetBase() : state_(new JoinSetState()) {}

JoinSetBase::~JoinSetBase() {
  if (state_ == nullptr) return;
  abort_all();
  detach_all();
  state_->drop_ref();
}

void JoinSetBase::insert(TaskHeader& task) {
  if (state_ == nullptr) state_ = new JoinSetState();  // A set that was moved from is empty and can be used again.
  auto* entry = new JoinSetState::Entry(*state_, task);
  {
    std::scoped_lock lock(state_->mutex);
    state_->running.push_back(*entry);
    ++state_->size;
  }
  Budget budget;
  PollContext context(*entry, budget);
  if (task.poll_join(context)) state_->finished(*entry);
}

std::size_t JoinSetBase::size() const noexcept {
  if (state_ == nullptr) return 0;
  std::scoped_lock lock(state_->mutex);
  return state_->size;
}

void JoinSetBase::abort_all() noexcept {
  if (state_ == nullptr) return;
  // Each outside the lock, since it may have to wake a thread. Only this thread takes entries out of the set, so an
  // entry stays, if not where it was.
  ++state_->aborts;
  for (;;) {
    JoinSetState::Entry* entry = nullptr;
    {
      std::scoped_lock lock(state_->mutex);
      entry = state_->running.first;
      if (entry == nullptr || entry->aborts_seen == state_->aborts) return;
      entry->aborts_seen = state_->aborts;
      state_->running.unlink(*entry);
      state_->running.push_back(*entry);
    }
    entry->task->abort();
  }
}

void JoinSetBase::detach_all() noexcept {
  if (state_ == nullptr) return;
  for (;;) {
    JoinSetState::Entry* entry = nullptr;
    {
      std::scoped_lock lock(state_->mutex);
      JoinSetState::List& list = state_->running.first != nullptr ? state_->running : state_->ended;
      entry = list.first;
      if (entry == nullptr) return;
      list.unlink(*entry);
      entry->is_member = false;
      --state_->size;
    }
    entry->task->detach();
    entry->drop_ref();
  }
}

TaskHeader* JoinSetBase::take_finished() noexcept {
  if (state_ == nullptr) return nullptr;
  JoinSetState::Entry* entry = nullptr;
  {
    std::scoped_lock lock(state_->mutex);
    entry = state_->ended.first;
    if (entry == nullptr) return nullptr;
    state_->ended.unlink(*entry);
    entry->is_member = false;
    --state_->size;
  }
  TaskHeader* task = entry->task;
  entry->drop_ref();
  return task;
}

bool JoinSetBase::poll_finished(PollContext& context, TaskHeader*& finished) noexcept {
  Waker dropped;
  if (state_ != nullptr) {
    std::scoped_lock lock(state_->mutex);
    if (state_->ended.first == nullptr && state_->size != 0) {
      if (!context.will_wake(state_->waiter)) {
        dropped = std::exchange(state_->waiter, context.waker());
      }
      return false;
    }
  }
  finished = take_finished();
  return true;
}

}  // namespace kaido::inline abi0::detail
