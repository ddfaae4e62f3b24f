#include "proto/wire/channel.h"

#include <algorithm>
#include <utility>

namespace kaido::wire {

Channel::Channel(const ChannelOptions& options, std::function<void()> on_output)
    : options_(options),
      on_output_(std::move(on_output)),
      reader_(kMaxWireFrameBytes),
      incoming_(options_, writer_, [this] { report_output(); }),
      outgoing_(writer_, [this] { report_output(); }, options.stream_listener) {}

void Channel::report_output() {
  if (!is_closed_) on_output_();
}

/// Whether the frame that is next concerns this channel in no way: its payload is here, and is not too large.
inline bool Channel::is_plain() const {
  constexpr std::uint32_t kOurs = 1U << static_cast<std::uint32_t>(FrameKind::kChunk) |
                                  1U << static_cast<std::uint32_t>(FrameKind::kWindow) |
                                  1U << static_cast<std::uint32_t>(FrameKind::kCancel);
  const auto kind = static_cast<std::uint32_t>(reader_.kind());
  return kind < 32 && (kOurs >> kind & 1) == 0 && (reader_.flags() & kStreamed) == 0 &&
         reader_.length() <= std::min<std::size_t>(options_.message_bytes_max, kHeaderBytes + kChunkBytes);
}

std::optional<FrameView> Channel::next() {
  while (!incoming_.has_held() && !is_closed_ && error_.empty()) {
    if (!reader_.has_frame()) return std::nullopt;
    // Asked before it is taken, so that it is built where it is returned.
    if (is_plain()) [[likely]]
      return reader_.take();
    std::optional<FrameView> frame = reader_.take();
    if (!is_inner(*frame)) return frame;
  }
  return take_held();
}

/// Whether the frame was handled here.
bool Channel::is_inner(FrameView& frame) {
  if ((frame.header.flags & kStreamed) != 0) {
    const IncomingStreams::Begin begin = incoming_.begin(frame);
    if (begin == IncomingStreams::Begin::kMalformed) {
      error_ = "a frame announces a payload in chunks and does not say how large it is";
    }
    return begin != IncomingStreams::Begin::kDeliver;
  }
  switch (frame.header.kind) {
    case FrameKind::kChunk:
      incoming_.handle_chunk(frame);
      return true;
    case FrameKind::kWindow:
      outgoing_.handle_window(frame.header);
      return true;
    case FrameKind::kCancel:
      return incoming_.hold_cancel(frame.header);
    default:
      if (frame.header.length > options_.message_bytes_max) {
        frame.payload = Body::make_failed(frame.payload.size(), BodyFailure::kTooLarge);
      } else if (frame.payload.size() > kChunkBytes) {
        // It would be memory that nobody granted and nobody counts.
        frame.payload = Body::make_failed(frame.payload.size(), BodyFailure::kBrokeProtocol);
      }
      return false;
  }
}

std::optional<FrameView> Channel::take_held() {
  if (!incoming_.has_held()) return std::nullopt;
  IncomingStreams::Held held = std::move(incoming_.held().front());
  incoming_.held().pop_front();
  held_metadata_ = std::move(held.metadata);
  return std::optional<FrameView>(std::in_place, held.header, held_metadata_.bytes(), std::move(held.payload));
}

void Channel::set_peer_limits(std::size_t message_bytes_max, std::size_t streams_max) {
  peer_message_bytes_max_ = message_bytes_max;
  peer_streams_max_ = streams_max;
}

SendResult Channel::send(const FrameHeader& header, std::span<const std::byte> metadata, const Payload& payload) {
  if (is_closed_) return SendResult::kNotOpen;
  if (kHeaderBytes + metadata.size() + payload.size() > peer_message_bytes_max_ || metadata.size() > kMaxMetadataBytes)
    return SendResult::kTooLarge;
  if (header.kind == FrameKind::kCancel && outgoing_.size() != 0) outgoing_.abort_call(header);
  if (payload.is_whole() && payload.size() <= kChunkBytes) [[likely]] {
    writer_.append(header, metadata, payload);
    return SendResult::kTaken;
  }
  const Body* const body = payload.body();
  if (body != nullptr && (body->has_failed() || !body->is_replayable())) return SendResult::kUnsendable;
  if (outgoing_.size() >= peer_streams_max_) return SendResult::kTooManyStreams;
  outgoing_.begin(header, metadata, payload);
  return SendResult::kTaken;
}

SendResult Channel::send(const FrameHeader& header, std::span<const std::byte> metadata,
                         std::span<const std::byte> payload) {
  if (payload.size() > kReferencedBytes) return send(header, metadata, Payload::copy_of(payload));
  if (is_closed_) return SendResult::kNotOpen;
  if (kHeaderBytes + metadata.size() + payload.size() > peer_message_bytes_max_ || metadata.size() > kMaxMetadataBytes)
    return SendResult::kTooLarge;
  if (header.kind == FrameKind::kCancel && outgoing_.size() != 0) outgoing_.abort_call(header);
  writer_.append(header, metadata, payload);
  return SendResult::kTaken;
}

std::size_t Channel::gather(std::span<std::span<const std::byte>> segments) {
  outgoing_.fill();
  return writer_.gather(segments);
}

void Channel::consume(std::size_t count) {
  writer_.consume(count);
  outgoing_.consumed(count);
}

void Channel::drop_output() {
  outgoing_.clear();
  writer_.clear();
}

void Channel::close() {
  is_closed_ = true;
  drop_output();  // first: what came by this connection may leave by it, and its end is nobody's news
  incoming_.clear(BodyFailure::kConnectionLost);
}

}  // namespace kaido::wire
