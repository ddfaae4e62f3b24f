/// Whose bytes are being handled on this thread, for lines of libraries that know only that something is wrong with
/// them.
#pragma once

#include <string>
#include <utility>

namespace kaido::daemon {

/// While it lives, LibraryLogs names the sender.
///
/// Threading: of the thread that made it.
/// Lifetime: the text outlives it.
/// Cost: two stores.
class OnBehalfOf {
 public:
  explicit OnBehalfOf(const std::string& sender) : former_(std::exchange(current_, &sender)) {}
  ~OnBehalfOf() { current_ = former_; }
  OnBehalfOf(const OnBehalfOf&) = delete;
  OnBehalfOf& operator=(const OnBehalfOf&) = delete;

  /// Null: nobody's.
  [[nodiscard]] static const std::string* current() { return current_; }

 private:
  static inline thread_local const std::string* current_ = nullptr;
  const std::string* const former_;
};

}  // namespace kaido::daemon
