/// Protobuf messages to the cores' values and back: the one place where what a peer or an app wrote is judged.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/task/attempt.h"
#include "daemon/core/view/node_delta.h"
#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "proto/base/status.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/kaido/v1/task.pb.h"
#include "proto/wire/body.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// Bounds on what one message may make us remember.
inline constexpr int kMaxTagsPerMessage = 256;
inline constexpr int kMaxTaintsPerMessage = 64;
/// What the functions of one node may take, however many messages told of them: as much as one message may.
inline constexpr std::size_t kMaxFunctionsBytes = wire::kMaxMetadataBytes;

/// The longest text of an error that is passed on; what is longer is cut, and says so. Raising it lets one failing
/// function take more of every connection on its way.
inline constexpr std::size_t kMaxErrorTextBytes = 16U << 10;
/// How many reasons of nodes an error passes on, and what their texts may take in all; the rest is left out.
inline constexpr int kMaxReasonsPerError = 256;
inline constexpr std::size_t kMaxReasonBytes = 64U << 10;

/// How much of a frame's metadata is read, by its kind: what a well-behaved sender may have to say, and not more, for
/// what is parsed takes up to forty times as much memory, and the strand's time, before its entries can be judged.
[[nodiscard]] std::size_t metadata_bytes_max(wire::FrameKind kind);

/// Nothing was parsed: there is too much of it.
[[nodiscard]] base::Status too_much_metadata(const wire::FrameView& frame);

/// Parses a frame's metadata. Errors: kInvalidArgument naming the frame.
template <class Message>
[[nodiscard]] base::StatusOr<Message> parse_metadata(const wire::FrameView& frame) {
  if (frame.metadata.size() > metadata_bytes_max(frame.header.kind)) return too_much_metadata(frame);
  Message message;
  if (!message.ParseFromArray(frame.metadata.data(), static_cast<int>(frame.metadata.size()))) {
    return absl::InvalidArgumentError("the metadata of a " + std::string(wire::name(frame.header.kind)) +
                                      " frame is not the protobuf message that the protocol says");
  }
  return message;
}

/// Somebody else's 64 bits of nanoseconds. What does not fit is for ever, which no task outlives.
[[nodiscard]] base::Duration to_duration(std::uint64_t nanoseconds);

/// Errors: kInvalidArgument for names that are empty or too long, and for more entries than the bounds allow.
[[nodiscard]] base::StatusOr<FunctionInfo> to_function(const v1::Function& message);
[[nodiscard]] base::StatusOr<PlacementSpec> to_placement(const v1::Prepare& message);
[[nodiscard]] base::StatusOr<NodeInfo> to_node_info(const v1::NodeInfo& message);
[[nodiscard]] base::StatusOr<NodeInfoDelta> to_node_info_delta(const v1::NodeInfoDelta& message);
/// Of what a node says of itself, put together from several messages. Errors: kResourceExhausted, kInvalidArgument.
[[nodiscard]] base::Status check_sizes(const NodeInfo& info);
/// Texts that are not UTF-8 are mended, and those that are too long cut.
[[nodiscard]] TaskError to_task_error(const v1::ResultError& message);
/// What a Result frame says that is no success; `outcome` is what its status stands for, if this version knows it.
/// Always has an error: where the frame does not say one that can be read, it says so.
[[nodiscard]] TaskResult to_failure(const wire::FrameView& frame, std::optional<wire::Outcome> outcome);

[[nodiscard]] v1::Prepare to_message(const PlacementSpec& spec);
[[nodiscard]] v1::NodeInfo to_message(const NodeInfo& info);
[[nodiscard]] v1::NodeInfoDelta to_message(const NodeInfoDelta& delta);
[[nodiscard]] v1::ResultError to_message(const TaskError& error);

/// How a call ends whose payload (`what`: "the arguments") will not come: refused when it was announced, or its sender
/// is lost or has given it up (`if_lost`).
[[nodiscard]] TaskResult failure_of(const Payload& payload, std::string_view what, wire::Outcome if_lost);
[[nodiscard]] inline bool has_failed(const Payload& payload) {
  return !payload.is_whole() && payload.body()->has_failed();
}

/// A redirect's reason as it travels, and back; what an unknown text means is "mismatch": not here.
[[nodiscard]] v1::RedirectReason to_message(RedirectReason reason, base::Duration retry_after);
[[nodiscard]] RedirectReason to_redirect_reason(const v1::RedirectReason& message);

}  // namespace kaido::daemon
