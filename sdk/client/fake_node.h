/// FakeNode: as much of a node as the client's tests need, on a real Unix socket.
///
/// It runs every call on the app that made it: a call frame goes back as work, the work's result goes back as the
/// result.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "proto/wire/channel.h"
#include "proto/wire/frame.h"

namespace kaido::testing {

/// Threading: its own thread serves one connection at a time; the members may be called from any other.
class FakeNode {
 public:
  explicit FakeNode(std::string path, std::uint32_t credits = 64);
  ~FakeNode();

  /// Calls that come are kept instead of run, until release().
  void hold();
  void release();
  /// Waits until so many calls are held.
  void await_held(std::size_t count);
  /// Waits until so many cancel frames have come.
  void await_cancels(std::size_t count);
  /// Reads and answers nothing any more, as a node that is stopped (SIGSTOP); connections are still accepted by the
  /// kernel.
  void freeze();
  void thaw();
  /// Asks the app to stop everything that it runs.
  void cancel_running();
  /// Pings the app, and waits for the answer.
  void ping();
  /// Waits until so many yield, or resume, frames have come.
  void await_yields(std::size_t count);
  void await_resumes(std::size_t count);
  /// Waits until so many functions have given their results.
  void await_results(std::size_t count);
  /// Ends the connection as a node does that is killed; the next one is accepted.
  void drop_connection();
  /// Answers hello with a final goodbye from now on.
  void refuse(std::string reason);

  [[nodiscard]] std::vector<std::string> offered();
  [[nodiscard]] std::size_t most_in_flight();
  [[nodiscard]] std::size_t prepared();

 private:
  struct Call {
    std::uint64_t id = 0;
    std::uint32_t function = 0;
    std::uint64_t budget_ns = 0;
    std::string arguments;
  };

  void serve();
  void serve_connection(int fd);
  bool exchange(int fd);
  bool handle(const wire::FrameView& frame);
  bool greet();
  void dispatch(const Call& call);
  template <class Condition>
  void await(Condition condition);
  void send(wire::FrameHeader header, std::string_view metadata, std::string_view payload = {});
  void interrupt();

  const std::string path_;
  const std::uint32_t credits_;
  int listener_ = -1;
  int interrupt_read_ = -1;
  int interrupt_write_ = -1;

  std::mutex mutex_;  ///< guards everything below
  std::condition_variable changed_;
  bool is_stopping_ = false;
  bool is_dropping_ = false;
  bool is_holding_ = false;
  std::string refusal_;
  std::optional<wire::Channel> channel_;  ///< of the connection
  std::vector<std::string> functions_;
  std::map<std::uint32_t, std::string> templates_;
  std::vector<Call> held_;
  std::set<std::uint64_t> running_;
  bool is_frozen_ = false;
  std::size_t cancels_ = 0;
  std::size_t pongs_ = 0;
  std::size_t yields_ = 0;
  std::size_t resumes_ = 0;
  std::size_t results_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t most_in_flight_ = 0;
  std::size_t prepared_ = 0;

  std::thread thread_;
};

}  // namespace kaido::testing
