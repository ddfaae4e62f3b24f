/// Child processes of the benchmark: started from this same program, talked to by lines, measured through /proc.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace kaido::bench {

/// One child with its standard input and output on pipes.
///
/// Lifetime: the destructor ends the child (SIGTERM, then SIGKILL after a second) and reaps it; a child also dies with
/// its parent.
/// Errors: a child that cannot be started or that ends early is a broken benchmark: throws std::runtime_error.
class Process {
 public:
  /// Runs `command[0]` with the rest as arguments. Standard error is inherited.
  explicit Process(const std::vector<std::string>& command);
  ~Process();

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The next line the child prints, without its end.
  [[nodiscard]] std::string read_line();
  void write_line(const std::string& line);

  /// CPU time that the child has used so far.
  [[nodiscard]] double cpu_seconds() const;
  [[nodiscard]] double resident_megabytes() const;
  /// The most it was since forget_peak(), or since it started.
  [[nodiscard]] double peak_resident_megabytes() const;
  void forget_peak();
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  [[nodiscard]] double megabytes(const std::string& wanted) const;

  std::string name_;
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  std::string unread_;
};

/// CPU seconds of a process (0 = this one), of threads that have ended too, from the scheduler's own nanosecond
/// counters.
[[nodiscard]] double cpu_seconds_of(pid_t pid);

/// This program's own file, for starting it again in another role.
[[nodiscard]] std::string own_program();

/// A private folder for sockets and state, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();

  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Waits until a Unix socket accepts connections; throws after `seconds`.
void wait_for_socket(const std::string& path, double seconds = 20);

}  // namespace kaido::bench
