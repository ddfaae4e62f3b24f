// What the node announced in its welcome, and the functions that are offered within it.
#include <algorithm>
#include <cstddef>
#include <string>

#include "proto/kaido/v1/local.pb.h"
#include "proto/wire/limits.h"
#include "sdk/client/messages.h"
#include "sdk/client/session.h"

namespace kaido::inline abi0::detail {

/// What the node announced holds for what is sent; what arrives has passed a relay, which may have added something.
void Session::set_limits(const v1::Welcome& welcome) {
  max_frame_bytes_ = welcome.max_frame_bytes() >= wire::kHeaderBytes ? welcome.max_frame_bytes() : wire::kMaxFrameBytes;
  max_metadata_bytes_ = wire::kMaxMetadataBytes;
  if (welcome.max_metadata_bytes() != 0)
    max_metadata_bytes_ = std::min(max_metadata_bytes_, welcome.max_metadata_bytes());
  channel_->set_peer_limits(max_frame_bytes_, wire::kMaxStreams);
  channel_->set_message_bytes_max(std::size_t{max_frame_bytes_} + wire::kFrameHeadroomBytes);
  const std::size_t node_templates = welcome.max_templates() != 0 ? welcome.max_templates() : wire::kMaxTemplates;
  templates_.set_most(std::min(options_.max_templates, node_templates));
}

/// The node's, of a frame without payload.
std::size_t Session::max_message_bytes() const {
  return std::min<std::size_t>(max_frame_bytes_ - wire::kHeaderBytes, max_metadata_bytes_);
}

bool Session::register_functions() {
  is_registered_ = functions_.empty();
  if (is_registered_) return true;
  const std::string message = register_message(functions_, options_.slots);
  if (message.size() > max_message_bytes()) {
    return refuse("the functions of this program take " + std::to_string(message.size()) +
                  " bytes with their schemas, the node accepts " + std::to_string(max_message_bytes()) +
                  ": offer fewer in one program, or raise limits.max_frame_bytes");
  }
  send_message(wire::FrameKind::kRegister, message);
  return true;
}

}  // namespace kaido::inline abi0::detail
