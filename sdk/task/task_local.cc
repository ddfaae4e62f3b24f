#include <kaido/task_local.h>

namespace kaido::inline abi0::detail {

namespace {

// The scopes in force on this thread, the innermost first. A poll enters and leaves them in order.
constinit thread_local LocalScopeNode* innermost_scope = nullptr;

}  // namespace

LocalScopeNode* find_local_scope(const void* key) noexcept {
  LocalScopeNode* scope = innermost_scope;
  while (scope != nullptr && scope->key != key) scope = scope->outer;
  return scope;
}

LocalScopeGuard::LocalScopeGuard(const void* key, void* value) : node_{key, value} {
  const LocalScopeNode* outer = find_local_scope(key);
  if (outer != nullptr && outer->borrows != 0) {
    throw std::logic_error("kaido: cannot enter a task-local scope while the value of its key is borrowed");
  }
  node_.outer = innermost_scope;
  innermost_scope = &node_;
}
LocalScopeGuard::~LocalScopeGuard() { innermost_scope = node_.outer; }

void throw_task_local_unset() {
  throw std::logic_error(
      "kaido: a task-local is read where it has no value: outside of its scope, or after take_value()");
}

}  // namespace kaido::inline abi0::detail
