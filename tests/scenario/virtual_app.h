/// An app as a test plays it: writes the local protocol's frames, and tells what the node sent it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/task/attempt.h"
#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_writer.h"

namespace kaido::daemon::testing {

/// What the node says to the app. A task's name is not in the frames: calls are traced, with a span of their own each,
/// and the worker sees the span of the call that it is given.
struct AppEvents {
  std::function<void(std::uint64_t call_id, TaskResult result)> on_result;
  std::function<void(const wire::FrameHeader& call, std::string arguments)> on_call;
  std::function<void(std::uint64_t call)> on_cancel;
  std::function<void(const std::string& reason)> on_goodbye;
};

/// One connection. What it says is gathered until take_output().
///
/// Threading: one thread.
class VirtualApp {
 public:
  explicit VirtualApp(AppEvents events) : events_(std::move(events)) {}

  // --- to the node ---
  void hello(const std::string& name);
  void offer(const std::vector<FunctionInfo>& functions, std::uint32_t slots);
  /// Returns the call's id, and prepares the placement where the node does not know it yet.
  std::uint64_t call(const PlacementSpec& spec, base::Duration budget, std::uint64_t span, std::string_view arguments);
  void cancel(std::uint64_t call_id);
  void result(std::uint64_t call, wire::Outcome outcome, std::string_view value_or_message);
  [[nodiscard]] std::string take_output();

  // --- from the node ---
  void handle(const wire::FrameView& frame);

 private:
  void send(wire::FrameHeader header, std::string_view metadata, std::string_view payload);

  AppEvents events_;
  wire::FrameWriter writer_;
  std::map<PlacementSpec, std::uint32_t> templates_;
  std::uint64_t next_call_ = 1;
};

}  // namespace kaido::daemon::testing
