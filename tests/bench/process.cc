#include "tests/bench/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace kaido::bench {
namespace {

/// A child that says nothing for this long hangs: better to fail than to wait for the test's time limit.
constexpr int kLineTimeoutMs = 60'000;

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

/// Only what is safe between fork and exec.
[[noreturn]] void become(std::vector<char*>& arguments, int input, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

Process::Process(const std::vector<std::string>& command) {
  for (const auto& word : command) name_ += (name_.empty() ? "" : " ") + word;
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  std::array<int, 2> to_child{};
  std::array<int, 2> from_child{};
  if (::pipe2(to_child.data(), O_CLOEXEC) != 0 || ::pipe2(from_child.data(), O_CLOEXEC) != 0) fail("pipe");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become(arguments, to_child[0], from_child[1], parent);
  ::close(to_child[0]);
  ::close(from_child[1]);
  input_ = to_child[1];
  output_ = from_child[0];
}

Process::~Process() {
  ::close(input_);
  ::close(output_);
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 100; ++i) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string Process::read_line() {
  while (true) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    pollfd waited{.fd = output_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waited, 1, kLineTimeoutMs);
    if (ready == 0) throw std::runtime_error("no answer from " + name_);
    std::array<char, 4096> buffer;
    const ssize_t count = ready < 0 ? -1 : ::read(output_, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::runtime_error("ended early: " + name_);
    unread_.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void Process::write_line(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) fail("write to " + name_);
}

double Process::cpu_seconds() const { return cpu_seconds_of(pid_); }

double Process::resident_megabytes() const { return megabytes("VmRSS:"); }

double Process::peak_resident_megabytes() const { return megabytes("VmHWM:"); }

void Process::forget_peak() {
  constexpr const char* kForgetPeak = "5";  // proc(5), /proc/pid/clear_refs
  std::ofstream clear("/proc/" + std::to_string(pid_) + "/clear_refs");
  if (!(clear << kForgetPeak).flush()) throw std::runtime_error("cannot reset the peak of " + name_);
}

double Process::megabytes(const std::string& wanted) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  std::string key;
  while (status >> key) {
    double kilobytes = 0;
    if (key == wanted && status >> kilobytes) return kilobytes / 1024;
  }
  return 0;
}

double cpu_seconds_of(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  // A child that has just ended has no clock any more: its time is not missed.
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "kaido-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) fail("mkdtemp " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // Nothing can be done about it here, and the folder is a temporary one.
  std::filesystem::remove_all(path_, ignored);
}

void wait_for_socket(const std::string& path, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  while (std::chrono::steady_clock::now() < deadline) {
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = ::connect(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    if (connected) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("nobody listens on " + path);
}

}  // namespace kaido::bench
