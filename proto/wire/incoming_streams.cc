#include "proto/wire/incoming_streams.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "proto/base/check.h"

namespace kaido::wire {

IncomingStreams::Begin IncomingStreams::begin(FrameView& frame) {
  if (frame.payload.size() < kStreamPrefixBytes) return Begin::kMalformed;
  StreamPrefix prefix;
  std::memcpy(&prefix, frame.payload.bytes().data(), sizeof prefix);
  const Payload first = frame.payload.part(kStreamPrefixBytes, frame.payload.size() - kStreamPrefixBytes);
  frame.header.flags &= static_cast<std::uint8_t>(~kStreamed);
  if (first.size() == prefix.size && !first.empty() && first.size() <= kChunkBytes) {
    frame.payload = first;
    return Begin::kDeliver;
  }
  const auto size = static_cast<std::size_t>(prefix.size);
  if (const BodyFailure failure = judge(frame, prefix, first.size()); failure != BodyFailure::kNone) {
    failure == BodyFailure::kBrokeProtocol ? ++stats_.violations : ++stats_.refused;
    send_window(Stream(*this, prefix.stream, size), kAbort);
    frame.payload = Body::make_failed(size, failure);
    return Begin::kDeliver;
  }
  ++stats_.begun;
  auto owned = std::make_unique<Stream>(*this, prefix.stream, size);
  Stream& stream = *owned;
  streams_.emplace(prefix.stream, std::move(owned));
  stream.granted = first.size();
  if (!options_.assemble) {
    frame.payload = Body::make(size, stream, charge());
    stream.body = frame.payload.body();
    put(stream, first);
    fresh_.push_back(stream.id);
    return Begin::kDeliver;
  }
  if (options_.hold_listener != nullptr) options_.hold_listener->on_hold(frame.header);
  stream.frame = {frame.header, Payload::copy_of(frame.metadata), Payload()};
  stream.first = first.kept();
  stream.received = first.size();
  waiting_.push_back(stream.id);
  start_waiting();
  return Begin::kHold;
}

/// Its memory is there for all of it, so all is granted.
void IncomingStreams::start_assembly(Stream& stream) {
  stream.block = BlockRef::allocate(stream.size);
  assembling_ += stream.size;
  const std::span<const std::byte> first = stream.first.bytes();
  if (!first.empty()) std::memcpy(stream.block.data(), first.data(), first.size());
  stream.first = Payload();
  stream.granted = stream.size;
  send_window(stream, 0);
}

void IncomingStreams::start_waiting() {
  while (!waiting_.empty()) {
    const auto found = streams_.find(waiting_.front());
    if (found != streams_.end()) {
      Stream& next = *found->second;
      if (assembling_ != 0 && assembling_ + next.size > options_.assembling_bytes_max) return;
      start_assembly(next);
    }
    waiting_.pop_front();
  }
}

void IncomingStreams::compact() {
  for (const std::uint64_t id : fresh_) {
    if (const auto found = streams_.find(id); found != streams_.end()) found->second->body->compact();
  }
  fresh_.clear();
}

BodyFailure IncomingStreams::judge(const FrameView& frame, const StreamPrefix& prefix, std::size_t first) const {
  if (first > kChunkBytes || first >= prefix.size || streams_.contains(prefix.stream))
    return BodyFailure::kBrokeProtocol;
  const std::size_t others = kHeaderBytes + frame.metadata.size();
  if (others > options_.message_bytes_max || prefix.size > options_.message_bytes_max - others)
    return BodyFailure::kTooLarge;
  if (streams_.size() >= options_.streams_max) return BodyFailure::kTooManyStreams;
  // A frame that has been read is there, whatever was to pay for it; what counts is that it is not kept.
  const bool has_memory =
      options_.memory == nullptr || options_.memory->has_room(options_.owner, MemoryKind::kStreams, first);
  return has_memory ? BodyFailure::kNone : BodyFailure::kNoMemory;
}

void IncomingStreams::handle_chunk(const FrameView& frame) {
  const auto found = streams_.find(frame.header.call_id);
  if (found == streams_.end()) {
    ++stats_.stray_chunks;  // under way when it was stopped
    return;
  }
  Stream& stream = *found->second;
  if ((frame.header.flags & kAbort) != 0) return fail(stream, BodyFailure::kAborted);
  const std::size_t bytes = frame.payload.size();
  if (bytes == 0 || bytes > kChunkBytes || frame.header.aux != stream.received ||
      bytes > stream.granted - stream.received) {
    ++stats_.violations;
    send_window(stream, kAbort);
    return fail(stream, BodyFailure::kBrokeProtocol);
  }
  put(stream, frame.payload);
  if (stream.received != stream.size) return;
  if (stream.body == nullptr) release_frame(stream, Payload(stream.block, stream.block.data(), stream.size));
  erase(stream);
}

void IncomingStreams::put(Stream& stream, const Payload& chunk) {
  const std::size_t at = stream.received;
  stream.received += chunk.size();
  has_moved_ = true;
  if (stream.body != nullptr) return stream.body->push(chunk);
  if (!chunk.empty()) std::memcpy(stream.block.data() + at, chunk.bytes().data(), chunk.size());
}

/// In steps of a quarter of the window: a Window frame for each chunk would be as many frames again.
void IncomingStreams::grant(Stream& stream) {
  const std::size_t released = stream.body->released();
  const std::size_t outstanding = stream.granted - std::min(stream.granted, released);
  if (options_.budget != nullptr && stream.charged > outstanding) {
    options_.budget->give_back(stream.charged - outstanding);
    stream.charged = outstanding;
  }
  if (!stream.body->is_open() || stream.granted == stream.size) return;
  const std::size_t target = std::min(stream.size, released + options_.window_bytes);
  if (target <= stream.granted) return;
  if (target - stream.granted < options_.window_bytes / 4 && target != stream.size) return;
  grant_to(stream, target);
}

void IncomingStreams::grant_to(Stream& stream, std::size_t offset) {
  std::size_t more = offset - stream.granted;
  const bool is_behind = stream.granted != stream.body->released();
  if (!stream.body->has_memory(more)) {
    if (is_behind) return;  // when more of it was taken
    more = std::min(more, kChunkBytes);
  }
  if (options_.budget != nullptr) {
    const std::size_t taken = options_.budget->take(more);
    const std::size_t least = std::min(more, kChunkBytes);
    if (taken < least && is_behind) return options_.budget->give_back(taken);  // when more of it was taken
    if (taken < least) options_.budget->take_anyway(least - taken);
    more = std::max(taken, least);
    stream.charged += more;
  }
  stream.granted += more;
  send_window(stream, 0);
}

void IncomingStreams::drop_stalled() {
  std::vector<std::uint64_t> stalled;
  const bool has_moved = std::exchange(has_moved_, false);
  for (const auto& [id, stream] : streams_) {
    const bool may_come = stream->granted > stream->received;
    stream->idle = may_come && stream->seen == stream->received ? stream->idle + 1 : 0;
    stream->seen = stream->received;
    if (stream->idle >= 2 * (has_moved ? kStalledPatience : 1)) stalled.push_back(id);
  }
  for (const std::uint64_t id : stalled) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) continue;  // the end of another one was its end, too
    ++stats_.stalled;
    send_window(*found->second, kAbort);
    fail(*found->second, BodyFailure::kStalled);
  }
}

void IncomingStreams::send_window(const Stream& stream, std::uint8_t flags) {
  FrameHeader header;
  header.kind = FrameKind::kWindow;
  header.flags = flags;
  header.call_id = stream.id;
  header.aux = stream.granted;
  writer_.append(header);
  on_output_();
}

bool IncomingStreams::hold_cancel(const FrameHeader& cancel) {
  if (!options_.assemble || streams_.empty()) return false;
  const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const auto& entry) {
    const FrameHeader& call = entry.second->frame.header;
    return call.kind == FrameKind::kCall && cancels(cancel, call);
  });
  if (found == streams_.end()) return false;
  found->second->is_cancelled = true;
  return true;
}

void IncomingStreams::fail(Stream& stream, BodyFailure failure) {
  if (stream.body != nullptr) {
    stream.body->fail(failure);
  } else {
    release_frame(stream, Body::make_failed(stream.size, failure));
  }
  erase(stream);
}

/// The body's last handle is gone.
void IncomingStreams::stop(Stream& stream) {
  send_window(stream, kAbort);
  erase(stream);
}

void IncomingStreams::release_frame(Stream& stream, Payload payload) {
  stream.frame.payload = std::move(payload);
  const FrameHeader call = stream.frame.header;
  held_.push_back(std::move(stream.frame));
  if (!stream.is_cancelled) return;
  FrameHeader cancel;
  cancel.kind = FrameKind::kCancel;
  cancel.call_id = call.call_id;
  cancel.set_attempt(call.attempt());
  held_.push_back({cancel, Payload(), Payload()});
}

void IncomingStreams::erase(Stream& stream) {
  if (options_.budget != nullptr) options_.budget->give_back(stream.charged);
  if (stream.block) assembling_ -= stream.size;
  streams_.erase(stream.id);
  start_waiting();
}

void IncomingStreams::clear(BodyFailure failure) {
  held_.clear();
  waiting_.clear();
  assembling_ = 0;
  // One body's failure can drop another's last handle: all are held until all have failed.
  std::vector<Payload> bodies;
  for (const auto& [id, stream] : streams_) {
    if (options_.budget != nullptr) options_.budget->give_back(stream->charged);
    if (stream->body != nullptr) bodies.emplace_back(*stream->body);
  }
  for (const Payload& body : bodies) body.body()->disown(failure);
  streams_.clear();
}

}  // namespace kaido::wire
