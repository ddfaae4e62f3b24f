#include "proto/wire/outgoing_streams.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "proto/base/check.h"
#include "proto/wire/limits.h"

namespace kaido::wire {

void OutgoingStreams::begin(FrameHeader header, std::span<const std::byte> metadata, const Payload& payload) {
  Body* const body = payload.body();
  KAIDO_CHECK(body == nullptr || (body->is_replayable() && !body->has_failed()));
  const Payload first = body != nullptr ? body->at(0) : payload.part(0, std::min(kChunkBytes, payload.size()));
  header.flags |= kStreamed;
  const StreamPrefix prefix{payload.size(), ++last_id_};
  writer_.append(header, metadata, std::as_bytes(std::span(&prefix, 1)), first);
  if (first.size() == payload.size()) {
    if (listener_ != nullptr) listener_->on_stream_end(header, StreamEnd::kPassedOn, BodyFailure::kNone);
    return;
  }
  auto stream = std::make_unique<Stream>(*this, last_id_, header, payload);
  stream->sent = stream->granted = first.size();
  if (body != nullptr) {
    body->attach(*stream, owner_);
  } else {
    held_bytes_ += payload.size() - first.size();
  }
  streams_.emplace(last_id_, std::move(stream));
}

void OutgoingStreams::handle_window(const FrameHeader& header) {
  const auto found = streams_.find(header.call_id);
  if (found == streams_.end()) return;
  Stream& stream = *found->second;
  if ((header.flags & kAbort) != 0) return finish(stream, StreamEnd::kUnwanted);
  const std::size_t granted = std::min<std::size_t>(header.aux, stream.payload.size());
  if (granted <= stream.granted) return;
  stream.granted = granted;
  has_moved_ = true;
  if (Body* const body = stream.payload.body(); body != nullptr) {
    body->open();
    body->release(stream.sent);
  }
  make_ready(stream);
}

void OutgoingStreams::abort_call(const FrameHeader& cancel) {
  const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const auto& entry) {
    const FrameHeader& frame = entry.second->frame;
    return frame.kind == FrameKind::kCall && cancels(cancel, frame);
  });
  if (found != streams_.end()) abort(*found->second, StreamEnd::kUnwanted);
}

bool OutgoingStreams::drop_stalled() {
  std::vector<std::uint64_t> stalled;
  const bool has_moved = std::exchange(has_moved_, false);
  bool all_wait = !streams_.empty() && !has_moved;
  for (const auto& [id, stream] : streams_) {
    const bool is_waiting = stream->sent == stream->granted && stream->seen == stream->sent;
    stream->idle = is_waiting ? stream->idle + 1 : 0;
    stream->seen = stream->sent;
    all_wait = all_wait && stream->idle >= 2;
    if (stream->idle >= 2 * kStalledPatience) stalled.push_back(id);
  }
  if (all_wait) return true;
  for (const std::uint64_t id : stalled) {
    const auto found = streams_.find(id);
    if (found != streams_.end()) abort(*found->second, StreamEnd::kStalled);
  }
  return false;
}

void OutgoingStreams::make_ready(Stream& stream) {
  if (stream.is_ready || stream.sent == stream.granted) return;
  if (Body* const body = stream.payload.body(); body != nullptr && body->arrived() == stream.sent) return;
  stream.is_ready = true;
  ready_.push_back(&stream);
  on_output_();
}

Payload OutgoingStreams::next_chunk(const Stream& stream) const {
  const Body* const body = stream.payload.body();
  const std::size_t room = std::min(kChunkBytes, stream.granted - stream.sent);
  if (body == nullptr) return stream.payload.part(stream.sent, std::min(room, stream.payload.size() - stream.sent));
  const Payload arrived = body->at(stream.sent);
  return arrived.part(0, std::min(room, arrived.size()));
}

void OutgoingStreams::fill() {
  while (!ready_.empty() && queued_bytes_ < kBulkQueuedBytes) {
    Stream& stream = *ready_.front();
    ready_.pop_front();
    stream.is_ready = false;
    send_chunk(stream);
  }
}

void OutgoingStreams::send_chunk(Stream& stream) {
  const Payload chunk = next_chunk(stream);
  FrameHeader header;
  header.kind = FrameKind::kChunk;
  header.call_id = stream.id;
  header.aux = stream.sent;
  writer_.append(header, {}, chunk);
  queued_.push_back({consumed_ + writer_.pending_bytes(), chunk.size()});
  queued_bytes_ += chunk.size();
  stream.sent += chunk.size();
  if (Body* const body = stream.payload.body(); body != nullptr) {
    body->release(stream.sent);
  } else {
    held_bytes_ -= chunk.size();
  }
  if (stream.sent == stream.payload.size()) return finish(stream, StreamEnd::kPassedOn);
  make_ready(stream);
}

void OutgoingStreams::consumed(std::size_t bytes) {
  consumed_ += bytes;
  while (!queued_.empty() && queued_.front().end <= consumed_) {
    queued_bytes_ -= queued_.front().bytes;
    queued_.pop_front();
  }
}

void OutgoingStreams::abort(Stream& stream, StreamEnd end) {
  FrameHeader header;
  header.kind = FrameKind::kChunk;
  header.flags = kAbort;
  header.call_id = stream.id;
  header.aux = stream.sent;
  writer_.append(header);
  finish(stream, end);
  on_output_();
}

void OutgoingStreams::finish(Stream& stream, StreamEnd end) {
  if (listener_ != nullptr) {
    const Body* const body = stream.payload.body();
    const bool has_failed = end == StreamEnd::kFailed && body != nullptr;
    listener_->on_stream_end(stream.frame, end, has_failed ? body->failure() : BodyFailure::kNone);
  }
  erase(stream);
}

void OutgoingStreams::erase(Stream& stream) {
  if (stream.is_ready) std::erase(ready_, &stream);
  if (Body* const body = stream.payload.body(); body != nullptr) {
    body->detach(stream);
  } else {
    held_bytes_ -= stream.payload.size() - stream.sent;
  }
  const auto node = streams_.extract(stream.id);  // its payload goes last: that may come back here
}

void OutgoingStreams::clear() {
  ready_.clear();
  queued_.clear();
  queued_bytes_ = held_bytes_ = 0;
  const auto streams = std::exchange(streams_, {});
  for (const auto& [id, stream] : streams) {
    if (Body* const body = stream->payload.body(); body != nullptr) body->detach(*stream);
  }
}

}  // namespace kaido::wire
