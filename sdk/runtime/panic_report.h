/// report_lost_panic(): from the task's end to the hook of kaido/panic_hook.h.
#pragma once

#include <exception>

#include <kaido/detail/task_header.h>

namespace kaido::inline abi0::detail {

/// Calls the panic hook with an exception that left `task` and that nobody will take. In the task's own scope.
void report_lost_panic(const TaskHeader& task, std::exception_ptr panic) noexcept;

}  // namespace kaido::inline abi0::detail
