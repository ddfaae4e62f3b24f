#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "tests/support/temp_folder.h"

extern char** environ;

namespace kaido::test {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> result;
  for (const auto& [name, value] : added) result.push_back(name + "=" + value);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const std::string name = text.substr(0, text.find('='));
    bool is_replaced = false;
    for (const auto& replacement : added) is_replaced |= replacement.first == name;
    if (!is_replaced) result.push_back(text);
  }
  return result;
}

/// Between fork and exec: system calls only.
void redirect(const char* path, int descriptor) {
  const int file = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file >= 0) ::dup2(file, descriptor);
}

}  // namespace

Process::Process(const Command& command) {
  std::vector<std::string> arguments = command.arguments_;
  std::vector<std::string> environment = merged_environment(command.environment_);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot start " + arguments.front() + ": " + std::strerror(errno));
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it had died before the line above
  redirect(command.output_.c_str(), STDOUT_FILENO);
  if (!command.errors_.empty()) redirect(command.errors_.c_str(), STDERR_FILENO);
  ::execve(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

Process::~Process() { kill(); }

void Process::send(int signal) {
  if (is_running()) ::kill(pid_, signal);
}

void Process::kill() {
  send(SIGKILL);
  static_cast<void>(wait());  // whatever it was, it is over
}

void Process::stop() {
  send(SIGSTOP);
  static_cast<void>(wait_until([this] {
    const std::string stat = read_file("/proc/" + std::to_string(pid_) + "/stat");
    const std::size_t end_of_name = stat.rfind(')');
    return end_of_name == std::string::npos || stat.substr(end_of_name, 3) == ") T";
  }));
}

void Process::cont() { send(SIGCONT); }

std::optional<ExitStatus> Process::wait(std::chrono::milliseconds limit) {
  static_cast<void>(wait_until([this] { return !is_running(); }, limit));
  return status_;
}

bool Process::is_running() {
  if (status_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  ExitStatus ended;
  if (WIFSIGNALED(status)) {
    ended.signal = WTERMSIG(status);
  } else {
    ended.code = WEXITSTATUS(status);
  }
  status_ = ended;
  return false;
}

}  // namespace kaido::test
