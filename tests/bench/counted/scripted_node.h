/// A node for one app, in a thread of its own, that works in step with it: it answers when a whole window has come, so
/// that every turn of the app carries the same.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "proto/wire/frame.h"
#include "tests/bench/counted/scripts.h"

namespace kaido::bench {

/// Threading: made and destroyed by one thread; its own thread does the work.
/// Lifetime: the app's connection must have ended before it is destroyed.
class ScriptedNode {
 public:
  enum class Role : std::uint8_t {
    kAnswersCalls,  ///< a window of calls with a window of results
    kMakesCalls,    ///< a window of calls at once, and another when the results have come
  };

  /// Listens. `windows`: how many windows a node that makes calls sends in all.
  ScriptedNode(std::string path, Role role, std::uint32_t window, std::uint32_t windows);
  ~ScriptedNode();
  ScriptedNode(const ScriptedNode&) = delete;
  ScriptedNode& operator=(const ScriptedNode&) = delete;

 private:
  void serve();
  void take_up(int app);
  void answer_calls(int app);
  void make_calls(int app);
  void await(int app, wire::FrameKind kind);
  /// Fills `window_taken_`; false if the app has left.
  [[nodiscard]] bool take_window(int app, wire::FrameKind kind);
  [[nodiscard]] bool read(int app);
  void write(int app);

  const Role role_;
  const std::uint32_t window_;
  const std::uint32_t windows_;
  int listener_;
  NodeScript script_;
  FrameLog log_;
  std::vector<std::uint64_t> window_taken_;
  std::thread thread_;
};

}  // namespace kaido::bench
