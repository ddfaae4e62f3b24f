#include <kaido/panic_hook.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <kaido/detail/task_header.h>

#include "sdk/runtime/panic_report.h"

namespace kaido::inline abi0 {
namespace {

// kaido: task 7 "upload" (spawned at main.cc:12) failed and nobody awaits it: panicked with std::runtime_error: no
// space
void print_lost(const TaskMeta& task, const Error& error) {
  std::string line = "kaido: task " + std::to_string(task.id().value());
  if (const std::string_view name = task::name(); !name.empty()) line.append(" \"").append(name).append("\"");
  if (task.spawned_at().line() != 0) {
    line.append(" (spawned at ").append(task.spawned_at().file_name()).append(":");
    line.append(std::to_string(task.spawned_at().line())).append(")");
  }
  line.append(" failed and nobody awaits it: ").append(error.to_string()).append("\n");
  std::fputs(line.c_str(), stderr);
}

struct InstalledHook {
  std::mutex mutex;
  std::shared_ptr<const PanicHook> hook;  // null: print_lost
};

// Never destroyed: tasks may end while the process exits.
InstalledHook& installed() {
  static auto* const hook = new InstalledHook;
  return *hook;
}

}  // namespace

void set_panic_hook(PanicHook hook) {
  std::shared_ptr<const PanicHook> next = hook ? std::make_shared<const PanicHook>(std::move(hook)) : nullptr;
  const std::lock_guard lock(installed().mutex);
  installed().hook.swap(next);
}

namespace detail {

void report_lost_panic(const TaskHeader& task, std::exception_ptr panic) noexcept {
  const Error error = Error::from_exception(std::move(panic), task.id().value());
  if (error.is_cancelled()) return;
  std::shared_ptr<const PanicHook> hook;
  {
    const std::lock_guard lock(installed().mutex);
    hook = installed().hook;
  }
  const TaskMeta meta(task.id(), task.spawned_at(), std::nullopt);
  if (hook) {
    (*hook)(meta, error);
  } else {
    print_lost(meta, error);
  }
}

}  // namespace detail
}  // namespace kaido::inline abi0
