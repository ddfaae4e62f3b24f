/// Error: why a task, a remote call or a runtime operation did not give its value.
///
/// One type for the whole library, so that local joins, timeouts and remote calls are one algebra: what a JoinHandle
/// reports and what `timeout` reports can be handled in one place.
///
///     kaido::Result<int> result = co_await handle;
///     if (!result && result.error().is_panic()) log(result.error().to_string());
#pragma once

#include <cstdint>
#include <exception>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <kaido/detail/chrono.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// What happened. The numbers are not part of any protocol.
enum class ErrorKind : std::uint8_t {
  kCancelled,          ///< Aborted, or its runtime ended before it did.
  kPanicked,           ///< An exception left the task; message() is its text, exception_type() its type.
  kTimedOut,           ///< The deadline passed first.
  kUnschedulable,      ///< No node may run it; reasons() says why, node by node.
  kNodeLost,           ///< The node that ran attempt() is gone, and the task may not be started again.
  kRejected,           ///< A queue was full; try again after retry_after().
  kUnavailable,        ///< The node's daemon cannot be reached, or ended while the outcome was unknown.
  kAppLost,            ///< The worker application died while it ran the task.
  kSignatureMismatch,  ///< Caller and worker disagree about the function's parameters or result.
  kInvalidArgument,    ///< The arguments could not be decoded, or an option makes no sense.
  kInternal,           ///< A defect of Kaido's own.
};

/// The kind's word as used in logs and messages, e.g. "node lost".
[[nodiscard]] std::string_view name(ErrorKind kind) noexcept;

/// One node and why it was not chosen.
struct NodeReason {
  NodeReason() = default;
  NodeReason(std::string node_name, std::string why) : node(std::move(node_name)), reason(std::move(why)) {}
  std::string node;
  std::string reason;
};

/// A typed error. Two words in size; everything beyond the kind lives on the heap and only where it exists.
///
/// Threading: a value, like std::string.
class Error {
 public:
  explicit Error(ErrorKind kind) noexcept : kind_(kind) {}
  Error(ErrorKind kind, std::string message);
  Error(const Error& other);
  Error(Error&& other) noexcept = default;
  Error& operator=(const Error& other);
  Error& operator=(Error&& other) noexcept = default;
  ~Error() = default;

  /// The error of a task that was aborted; `task_id` 0 means unknown.
  [[nodiscard]] static Error cancelled(std::uint64_t task_id = 0);
  /// The error for an exception that left a task: kPanicked with demangled type and what(), except for ErrorException,
  /// whose Error is taken as it is. `task_id` 0 means unknown.
  [[nodiscard]] static Error from_exception(std::exception_ptr exception, std::uint64_t task_id = 0);

  /// Builder verbs: `Error(ErrorKind::kRejected, "queue full").with_node("n2").with_retry_after(5ms)`.
  Error&& with_exception_type(std::string type) &&;
  Error&& with_node(std::string node) &&;
  Error&& with_attempt(std::uint32_t attempt) &&;
  Error&& with_retry_after(std::chrono::milliseconds delay) &&;
  /// Rounded up.
  template <typename Rep, typename Period>
  Error&& with_retry_after(std::chrono::duration<Rep, Period> delay) && {
    return std::move(*this).with_retry_after(std::chrono::ceil<std::chrono::milliseconds>(detail::saturate(delay)));
  }
  Error&& with_reasons(std::vector<NodeReason> reasons) &&;

  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  [[nodiscard]] bool is_cancelled() const noexcept { return kind_ == ErrorKind::kCancelled; }
  [[nodiscard]] bool is_panic() const noexcept { return kind_ == ErrorKind::kPanicked; }
  [[nodiscard]] bool is_timed_out() const noexcept { return kind_ == ErrorKind::kTimedOut; }
  [[nodiscard]] bool is_unschedulable() const noexcept { return kind_ == ErrorKind::kUnschedulable; }
  [[nodiscard]] bool is_node_lost() const noexcept { return kind_ == ErrorKind::kNodeLost; }
  [[nodiscard]] bool is_rejected() const noexcept { return kind_ == ErrorKind::kRejected; }
  [[nodiscard]] bool is_unavailable() const noexcept { return kind_ == ErrorKind::kUnavailable; }
  [[nodiscard]] bool is_app_lost() const noexcept { return kind_ == ErrorKind::kAppLost; }

  [[nodiscard]] const std::string& message() const noexcept;
  /// Demangled type of the exception of a panic; empty otherwise.
  [[nodiscard]] const std::string& exception_type() const noexcept;
  /// The node on which it happened; empty if in this process or unknown.
  [[nodiscard]] const std::string& node() const noexcept;
  /// The attempt that failed, from 1; 0 for local tasks.
  [[nodiscard]] std::uint32_t attempt() const noexcept;
  /// How long to wait before another try; zero where that makes no sense.
  [[nodiscard]] std::chrono::milliseconds retry_after() const noexcept;
  [[nodiscard]] const std::vector<NodeReason>& reasons() const noexcept;
  /// The exception object of a panic in this process; null otherwise. Rethrow it to inspect it.
  [[nodiscard]] std::exception_ptr exception() const noexcept;
  /// The id of the local task that was cancelled or panicked (TaskId's value); 0 otherwise.
  [[nodiscard]] std::uint64_t task_id() const noexcept;
  /// exception(), for a panic; throws std::logic_error for any other kind, which is_panic() tells apart.
  [[nodiscard]] std::exception_ptr into_panic() const;
  /// exception(), for a panic; null for any other kind.
  [[nodiscard]] std::exception_ptr try_into_panic() const noexcept { return is_panic() ? exception() : nullptr; }
  /// tokio's words for a JoinError: `task 7 was cancelled`, `task 7 panicked with message "no such file"`, `task 7
  /// panicked` for an exception without text; to_string() for other kinds and tasks without an id.
  [[nodiscard]] std::string join_text() const;

  /// One line with everything known.
  [[nodiscard]] std::string to_string() const;

 private:
  struct Details;
  struct DeleteDetails {
    void operator()(Details* details) const noexcept;
  };
  Details& details();

  std::unique_ptr<Details, DeleteDetails> details_;
  ErrorKind kind_;
};

/// tokio's name for what a JoinHandle reports.
using JoinError = Error;

std::ostream& operator<<(std::ostream& out, const Error& error);

/// Thrown inside a task to end it with exactly this Error instead of kPanicked.
class ErrorException final : public std::exception {
 public:
  explicit ErrorException(Error error);
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  Error error_;
  std::string text_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
