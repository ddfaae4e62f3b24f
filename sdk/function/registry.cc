#include <kaido/function.h>

#include <atomic>

namespace kaido::inline abi0::detail {
namespace {

// Constant-initialised, so that registrations may run before any other static constructor, and from dlopen() on any
// thread.
constinit std::atomic<FunctionEntry*> head{nullptr};

}  // namespace

void register_function(FunctionEntry& entry, void (*run)(Invocation&), Task<void> (*start)(Invocation&)) noexcept {
  if (std::atomic_ref(entry.registered).exchange(true)) return;
  entry.run = run;
  entry.start = start;
  entry.next = head.load(std::memory_order_relaxed);
  // Release: who follows the list sees the whole entry.
  while (!head.compare_exchange_weak(entry.next, &entry, std::memory_order_release, std::memory_order_relaxed)) {
  }
}

const FunctionEntry* first_function() noexcept { return head.load(std::memory_order_acquire); }

}  // namespace kaido::inline abi0::detail
