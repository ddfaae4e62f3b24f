#include "sdk/function/function_table.h"

#include <algorithm>
#include <string>
#include <utility>

#include "sdk/function/text.h"

namespace kaido::inline abi0::detail {
namespace {

std::string describe(const FunctionEntry& entry) { return "'" + std::string(entry.name) + "' " + entry.signature(); }

/// Why two entries cannot be offered together; empty if they can.
std::string conflict(const FunctionEntry& a, const FunctionEntry& b) {
  if (a.name == b.name) {
    return "two functions are registered as " + describe(a) + " and " + describe(b) +
           ": give one of them another name with KAIDO_FUNCTION_AS";
  }
  if (a.id == b.id) {
    return "the functions " + describe(a) + " and " + describe(b) +
           " have the same 64-bit id by chance: give one of them another name with KAIDO_FUNCTION_AS";
  }
  return {};
}

}  // namespace

Result<FunctionTable> FunctionTable::collect(KindsOffered kinds) {
  std::vector<const FunctionEntry*> entries;
  for (const FunctionEntry* entry = first_function(); entry != nullptr; entry = entry->next) {
    if (entry->start != nullptr ? !kinds.tasks : !kinds.computing) continue;
    if (entry->service == nullptr || entry->service->get() != nullptr) entries.push_back(entry);
  }
  return of(std::move(entries));
}

Result<FunctionTable> FunctionTable::of(std::vector<const FunctionEntry*> entries) {
  for (const FunctionEntry* entry : entries) {
    if (auto problem = name_problem("the function", entry->name)) {
      return Error(ErrorKind::kInvalidArgument, *std::move(problem) + ": give it another with KAIDO_FUNCTION_AS");
    }
  }
  // By id first, so that whatever collides stands side by side: equal names have equal ids.
  std::sort(entries.begin(), entries.end(), [](auto* a, auto* b) { return a->id < b->id; });
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i - 1]->id != entries[i]->id) continue;
    return Error(ErrorKind::kInvalidArgument, conflict(*entries[i - 1], *entries[i]));
  }
  std::sort(entries.begin(), entries.end(), [](auto* a, auto* b) { return a->name < b->name; });
  FunctionTable table;
  table.entries_ = std::move(entries);
  return table;
}

const FunctionEntry* FunctionTable::find(std::uint64_t id) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [id](auto* entry) { return entry->id == id; });
  return found == entries_.end() ? nullptr : *found;
}

}  // namespace kaido::inline abi0::detail
