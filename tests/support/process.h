/// A child process that does not outlive its test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/wait_until.h"

namespace kaido::test {

/// How a process ended.
struct ExitStatus {
  int code = 0;    ///< of exit(); meaningless after a signal
  int signal = 0;  ///< that ended it; 0: none
  bool operator==(const ExitStatus&) const = default;
};

/// What to run. A class with setters, chainable.
class Command {
 public:
  explicit Command(std::string program) { arguments_.push_back(std::move(program)); }

  Command& argument(std::string value) {
    arguments_.push_back(std::move(value));
    return *this;
  }
  /// Added to this process's environment.
  Command& environment(std::string name, std::string value) {
    environment_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  /// Where standard output goes; appended. Default: /dev/null.
  Command& output(std::string path) {
    output_ = std::move(path);
    return *this;
  }
  /// Where standard error goes; appended. Default: this process's own.
  Command& errors(std::string path) {
    errors_ = std::move(path);
    return *this;
  }

 private:
  friend class Process;
  std::vector<std::string> arguments_;
  std::vector<std::pair<std::string, std::string>> environment_;
  std::string output_ = "/dev/null";
  std::string errors_;
};

/// Threading: start it on a thread that lives as long as it: the kernel kills it when that thread ends, so that nothing
/// survives a test that crashes.
/// Lifetime: the destructor kills it and waits for its end.
class Process {
 public:
  /// Throws std::runtime_error if it cannot be started.
  explicit Process(const Command& command);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Nothing happens to one that has ended.
  void send(int signal);
  /// SIGKILL, and waits for the end.
  void kill();
  /// SIGSTOP and SIGCONT. stop() returns when the process stands still.
  void stop();
  void cont();

  /// How it ended; nothing if it still runs after the limit.
  [[nodiscard]] std::optional<ExitStatus> wait(std::chrono::milliseconds limit = kPatience);
  [[nodiscard]] bool is_running();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
};

}  // namespace kaido::test
