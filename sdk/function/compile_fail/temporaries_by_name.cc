// compiles
#include <kaido/kaido.h>

#include <chrono>
#include <memory>
#include <utility>

struct Work {
  std::unique_ptr<int> value;
  kaido::Task<int> operator()() { co_return *value; }
};
struct Operation {
  std::unique_ptr<int> value;
  bool poll(kaido::PollContext&) { return true; }
  int take() { return *value; }
};

kaido::Task<void> by_name(const kaido::Handle& handle, Work work, Operation operation, kaido::OnceCell<int>& cell) {
  co_await operation;
  co_await kaido::timeout(std::chrono::seconds(1), operation);
  co_await kaido::timeout(std::chrono::seconds(1), kaido::moved(operation));
  co_await kaido::select(kaido::moved(operation), operation);
  co_await kaido::join(kaido::moved(work), kaido::moved(operation));
  co_await kaido::cooperative(kaido::moved(operation));
  co_await kaido::unconstrained(kaido::moved(operation));
  co_await kaido::spawn(kaido::moved(work));
  co_await kaido::spawn(kaido::moved(operation));
  co_await kaido::spawn_local(kaido::moved(work));
  co_await kaido::spawn_local(kaido::moved(operation));
  co_await handle.spawn(kaido::moved(work));
  co_await cell.get_or_init(kaido::moved(work));
}

/// What gives no awaitable takes them as they come.
void spawned_into_sets(kaido::JoinSet<int>& set, kaido::JoinQueue<int>& queue) {
  set.spawn(Work());
  set.spawn(Operation());
  queue.spawn(Work());
}
