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

struct Handler {
  std::unique_ptr<int> value;
  int operator()(int given) { return *value + given; }
};
struct Closure {
  std::unique_ptr<int> value;
  int operator()() { return *value; }
};
struct Pattern {
  std::unique_ptr<int> value;
  bool operator()(int given) { return *value == given; }
};
kaido::Task<int> number();

kaido::Task<void> handlers_by_name(Handler handler, Pattern pattern, Closure closure) {
  co_await kaido::select(kaido::on(number(), kaido::moved(handler)).matching(kaido::moved(pattern)),
                         kaido::otherwise(kaido::moved(closure)));
  co_await kaido::spawn_blocking(kaido::moved(closure));
}

kaido::Task<void> elsewhere_by_name(const kaido::Runtime& runtime, const kaido::LocalSet& set,
                                    const kaido::LocalPoolHandle& pool, kaido::LocalKey<int>& key, Work work,
                                    Operation operation) {
  co_await runtime.spawn(kaido::moved(work));
  co_await runtime.spawn_local(kaido::moved(work));
  co_await set.spawn_local(kaido::moved(work));
  co_await set.spawn_local(kaido::moved(operation));
  co_await set.run_until(kaido::moved(work));
  co_await set.run_until(kaido::moved(operation));
  co_await pool.spawn_pinned(kaido::moved(work));
  co_await pool.spawn_pinned_by_idx(kaido::moved(work), 0);
  co_await key.scope(1, kaido::moved(work));
  co_await key.scope(1, kaido::moved(operation));
}

/// What gives no awaitable takes them as they come.
void spawned_into_sets(kaido::JoinSet<int>& set, kaido::JoinQueue<int>& queue) {
  set.spawn(Work());
  set.spawn(Operation());
  queue.spawn(Work());
}
