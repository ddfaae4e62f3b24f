// Session's large payloads: arguments and results that travel in chunks, sent from where they lie.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "proto/wire/body.h"
#include "sdk/client/messages.h"
#include "sdk/client/session.h"

namespace kaido::inline abi0::detail {
namespace {

/// Of a header that waited for its payload. The channel takes this flag off what it hands out, so it is free.
constexpr std::uint8_t kBudgetIsTime = wire::kStreamed;

/// So that a time of this process's clock can be added to it.
std::chrono::nanoseconds to_duration(std::uint64_t budget_ns) {
  constexpr std::uint64_t kFar = std::numeric_limits<std::int64_t>::max() / 2;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(budget_ns, kFar)));
}

}  // namespace

/// The budget counts from here on, though the call is handed out when all its arguments are there: it becomes a time.
void Session::on_hold(wire::FrameHeader& header) {
  if (header.kind != wire::FrameKind::kCall || header.budget_ns == 0) return;
  header.budget_ns = static_cast<std::uint64_t>((input_at_ + to_duration(header.budget_ns)).time_since_epoch().count());
  header.flags |= kBudgetIsTime;
}

TimePoint Session::deadline_of(const wire::FrameHeader& call, TimePoint now) {
  const bool is_time = (call.flags & kBudgetIsTime) != 0;
  return (is_time ? TimePoint() : now) + to_duration(call.budget_ns);
}

void Session::append(const wire::FrameHeader& header, std::span<const std::byte> metadata,
                     std::span<const std::byte> payload) {
  // What is refused here was judged before, or is of a connection that has ended: then all in flight is settled.
  if (channel_) static_cast<void>(channel_->send(header, metadata, payload));
}

/// A call with large arguments waits until the node can take one more of them; those behind it wait, too.
bool Session::has_room_for(const PendingCall& call) const {
  if (channel_->streams_out() == 0) [[likely]]
    return true;
  return call.arguments.size() <= wire::kChunkBytes || channel_->streams_out() < wire::kMaxStreams;
}

/// Large ones are lent to the channel: the call may be sent again.
wire::SendResult Session::send_arguments(PendingCall& call, Slot& slot, const wire::FrameHeader& header) {
  const std::size_t size = call.arguments.size();
  if (size <= wire::kChunkBytes) return channel_->send(header, {}, call.arguments.bytes());
  slot.arguments = wire::Payload::adopt(call.arguments.release(), size);
  return channel_->send(header, {}, slot.arguments);
}

/// The call may be sent again. Its channel is gone: nobody else holds them.
void Session::take_back_arguments(PendingCall& call, Slot& slot) {
  const std::size_t size = slot.arguments.size();
  if (auto bytes = slot.arguments.release_adopted()) call.arguments.adopt(std::move(bytes), size);
}

/// Its sender was lost halfway: the call is open until the node says what becomes of it.
bool Session::is_to_follow(const wire::FrameView& failed) const {
  return results_follow_ && failed.payload.body()->failure() == wire::BodyFailure::kAborted;
}

/// Copied if it lies in a block that the channel goes on using, as what did not come in chunks does. Not decoded: that
/// may run users' code, and may take its time.
std::optional<Error> Session::take_result(PendingCall& call, wire::FrameView& frame) {
  if (!frame.payload.is_whole()) return to_error(*call.target, frame.payload.body()->failure());
  try {
    if (frame.payload.size() > wire::kChunkBytes && frame.payload.is_unique()) {
      const std::span<const std::byte> bytes = frame.payload.bytes();
      call.set_result(std::make_shared<const wire::Payload>(std::move(frame.payload)), bytes);
    } else {
      call.copy_result(frame.payload.bytes());
    }
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    return Error(ErrorKind::kInternal, std::string(call.target->name) + ": there is no memory for the result of " +
                                           std::to_string(frame.payload.size()) + " bytes");
  }
}

void Session::reply_large(std::uint64_t connection, std::uint64_t id, Buffer&& result) {
  if (connection != connection_ || state_ != State::kReady) return;
  const std::size_t size = result.size();
  if (wire::kHeaderBytes + size > max_frame_bytes_) return reply(connection, id, nullptr, result.bytes());
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kResult;
  header.call_id = id;
  waiting_results_.push_back({header, wire::Payload::adopt(result.release(), size)});
  send_waiting_results();
}

void Session::send_waiting_results() {
  while (!waiting_results_.empty()) {
    const LargeResult& next = waiting_results_.front();
    if (channel_->send(next.header, {}, next.payload) == wire::SendResult::kTooManyStreams) return;
    waiting_results_.pop_front();
  }
}

}  // namespace kaido::inline abi0::detail
