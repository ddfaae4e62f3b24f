#include "proto/wire/memory_budget.h"

#include "proto/base/check.h"

namespace kaido::wire {

std::string_view name(MemoryKind kind) {
  static constexpr std::array<std::string_view, kMemoryKinds> kNames = {
      "templates", "node_infos", "arguments", "answers", "streams", "output", "input", "history"};
  return kNames[static_cast<std::size_t>(kind)];
}

void MemoryBudget::give_back(MemoryOwner owner, MemoryKind kind, std::size_t bytes) {
  Pool& pool = pool_of(kind);
  KAIDO_CHECK(owner.value < pool.by_owner.size() && bytes <= pool.by_owner[owner.value] && bytes <= used_[index(kind)]);
  pool.by_owner[owner.value] -= bytes;
  pool.used -= bytes;
  used_[index(kind)] -= bytes;
}

}  // namespace kaido::wire
