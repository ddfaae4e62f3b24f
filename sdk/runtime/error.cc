#include <kaido/error.h>

#include <cxxabi.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <ostream>
#include <typeinfo>
#include <utility>

#include <kaido/result.h>

namespace kaido::inline abi0 {

struct Error::Details {
  std::string message;
  std::string exception_type;
  std::string node;
  std::uint32_t attempt = 0;
  std::uint64_t task_id = 0;
  std::chrono::milliseconds retry_after{0};
  std::vector<NodeReason> reasons;
  std::exception_ptr exception;
};

namespace {

const std::string kEmpty;
constexpr const char* kNoText = "exception without text";

std::string demangle(const char* mangled) {
  int status = 0;
  char* readable = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string result = status == 0 && readable != nullptr ? readable : mangled;
  std::free(readable);
  // As the source writes Kaido's own types: without the inline namespace that keeps versions of the library apart.
  constexpr std::string_view kOurs = "kaido::abi";
  for (std::size_t at = 0; (at = result.find(kOurs, at)) != std::string::npos;) {
    const std::size_t number = at + kOurs.size();
    const std::size_t end = result.find_first_not_of("0123456789", number);
    at = number - 3;
    if (end != number && end != std::string::npos && result.compare(end, 2, "::") == 0) result.erase(at, end + 2 - at);
  }
  return result;
}

}  // namespace

std::string_view name(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kPanicked:
      return "panicked";
    case ErrorKind::kTimedOut:
      return "timed out";
    case ErrorKind::kUnschedulable:
      return "unschedulable";
    case ErrorKind::kNodeLost:
      return "node lost";
    case ErrorKind::kRejected:
      return "rejected";
    case ErrorKind::kUnavailable:
      return "unavailable";
    case ErrorKind::kAppLost:
      return "app lost";
    case ErrorKind::kSignatureMismatch:
      return "signature mismatch";
    case ErrorKind::kInvalidArgument:
      return "invalid argument";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "unknown";
}

void Error::DeleteDetails::operator()(Details* details) const noexcept { delete details; }

Error::Error(ErrorKind kind, std::string message) : kind_(kind) { details().message = std::move(message); }

Error::Error(const Error& other)
    : details_(other.details_ ? new Details(*other.details_) : nullptr), kind_(other.kind_) {}

Error& Error::operator=(const Error& other) {
  if (this != &other) *this = Error(other);
  return *this;
}

Error::Details& Error::details() {
  if (!details_) details_.reset(new Details());
  return *details_;
}

Error Error::cancelled(std::uint64_t task_id) {
  if (task_id == 0) return Error(ErrorKind::kCancelled);
  Error error(ErrorKind::kCancelled, "task " + std::to_string(task_id) + " was cancelled");
  error.details().task_id = task_id;
  return error;
}

Error Error::from_exception(std::exception_ptr exception, std::uint64_t task_id) {
  try {
    std::rethrow_exception(exception);
  } catch (const ErrorException& typed) {
    return typed.error();
  } catch (const std::exception& standard) {
    const char* const text = standard.what();  // Null is forbidden, and happens.
    Error error =
        Error(ErrorKind::kPanicked, text != nullptr ? text : "").with_exception_type(demangle(typeid(standard).name()));
    error.details().exception = exception;
    error.details().task_id = task_id;
    return error;
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    Error error =
        Error(ErrorKind::kPanicked, kNoText).with_exception_type(type != nullptr ? demangle(type->name()) : "unknown");
    error.details().exception = exception;
    error.details().task_id = task_id;
    return error;
  }
}

Error&& Error::with_exception_type(std::string type) && {
  details().exception_type = std::move(type);
  return std::move(*this);
}
Error&& Error::with_node(std::string node) && {
  details().node = std::move(node);
  return std::move(*this);
}
Error&& Error::with_attempt(std::uint32_t attempt) && {
  details().attempt = attempt;
  return std::move(*this);
}
Error&& Error::with_retry_after(std::chrono::milliseconds delay) && {
  details().retry_after = delay;
  return std::move(*this);
}
Error&& Error::with_reasons(std::vector<NodeReason> reasons) && {
  details().reasons = std::move(reasons);
  return std::move(*this);
}

const std::string& Error::message() const noexcept { return details_ ? details_->message : kEmpty; }
const std::string& Error::exception_type() const noexcept { return details_ ? details_->exception_type : kEmpty; }
const std::string& Error::node() const noexcept { return details_ ? details_->node : kEmpty; }
std::uint32_t Error::attempt() const noexcept { return details_ ? details_->attempt : 0; }
std::chrono::milliseconds Error::retry_after() const noexcept {
  return details_ ? details_->retry_after : std::chrono::milliseconds(0);
}
const std::vector<NodeReason>& Error::reasons() const noexcept {
  static const std::vector<NodeReason> kNone;
  return details_ ? details_->reasons : kNone;
}
std::exception_ptr Error::exception() const noexcept { return details_ ? details_->exception : nullptr; }
std::uint64_t Error::task_id() const noexcept { return details_ ? details_->task_id : 0; }

std::exception_ptr Error::into_panic() const {
  if (!is_panic()) throw std::logic_error("kaido: into_panic() on an error that is no panic: " + to_string());
  return exception();
}

std::string Error::join_text() const {
  if (task_id() == 0 || (!is_cancelled() && !is_panic())) return to_string();
  const std::string task = "task " + std::to_string(task_id());
  if (is_cancelled()) return task + " was cancelled";
  if (message() == kNoText) return task + " panicked";
  return task + " panicked with message \"" + message() + "\"";
}

std::string Error::to_string() const {
  std::string text(name(kind_));
  if (!details_) return text;
  if (!exception_type().empty()) text += " with " + exception_type();
  if (!message().empty()) text += ": " + message();
  if (!node().empty()) text += " (node " + node() + ")";
  if (attempt() != 0) text += " (attempt " + std::to_string(attempt()) + ")";
  if (retry_after().count() != 0) text += " (retry after " + std::to_string(retry_after().count()) + " ms)";
  for (const NodeReason& reason : reasons()) text += "; " + reason.node + ": " + reason.reason;
  return text;
}

std::ostream& operator<<(std::ostream& out, const Error& error) { return out << error.to_string(); }

ErrorException::ErrorException(Error error) : error_(std::move(error)), text_(error_.to_string()) {}

BadResultAccess::BadResultAccess(Error error) : BadExpectedAccess(error.to_string()), error_(std::move(error)) {}

namespace detail {
void BadAccess<Error>::raise(const Error& error) { throw BadResultAccess(error); }
}  // namespace detail

}  // namespace kaido::inline abi0
