/// CHECK: a broken invariant ends the process with the place and the condition, in production too.
///
/// For our own bugs only. What a peer, an app, a user or a file can cause is rejected and counted instead.
#pragma once

namespace kaido::base {

/// Writes "file:line: CHECK failed: condition" to standard error and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition);

}  // namespace kaido::base

#define KAIDO_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::kaido::base::check_failed(__FILE__, __LINE__, #condition))
