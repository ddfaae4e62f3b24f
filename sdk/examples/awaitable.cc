// An awaitable of one's own: a flag that any thread may set and any number of tasks wait for. docs/sdk/awaitables.md
// explains it.
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <kaido/kaido.h>

class Flag {
 public:
  class Wait {
   public:
    explicit Wait(Flag& flag) : flag_(&flag) {}

    bool poll(kaido::PollContext& context) { return flag_->is_set_or_keeps(context); }
    void take() {}

   private:
    Flag* flag_;
  };

  [[nodiscard]] Wait wait() { return Wait(*this); }

  void set() {
    std::vector<kaido::Waker> woken;
    {
      const std::lock_guard lock(mutex_);
      is_set_ = true;
      woken.swap(waiting_);
    }
    for (kaido::Waker& waker : woken)
      waker.wake();  // Not under the lock: whoever is woken may look at the flag at once.
  }

 private:
  bool is_set_or_keeps(kaido::PollContext& context) {
    const std::lock_guard lock(mutex_);
    // A poll may come at any time, also again before set().
    const bool is_kept = !waiting_.empty() && context.will_wake(waiting_.back());
    if (!is_set_ && !is_kept) waiting_.push_back(context.waker());
    return is_set_;
  }

  std::mutex mutex_;
  bool is_set_ = false;
  std::vector<kaido::Waker> waiting_;
};

kaido::Task<int> count_after(Flag* flag, int count) {
  co_await flag->wait();
  co_return count;
}

kaido::Task<int> total(Flag* flag) {
  kaido::JoinSet<int> set;
  for (int i = 1; i <= 3; ++i) set.spawn(count_after(flag, i));
  const kaido::Result<void> early = co_await kaido::timeout(std::chrono::milliseconds(1), flag->wait());
  int sum = early ? 100 : 0;  // Nobody has set it so far.
  std::thread plain([flag] { flag->set(); });
  while (auto next = co_await set.join_next()) sum += next->value();
  plain.join();
  co_return sum;
}

int main() {
  Flag flag;
  auto runtime = kaido::Runtime::create().value();
  std::printf("%d\n", runtime.block_on(total(&flag)));
}
