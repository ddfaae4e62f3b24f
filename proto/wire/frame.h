/// The frame: a fixed 64-byte little-endian header, optional protobuf metadata, opaque payload.
///
/// App⇄node and node⇄node speak the same frames. A relay patches the header and never parses the payload: a protobuf
/// header instead would cost 0.2–0.5 µs of CPU a call, on calls that cost 1–4 µs in all. The layout is described byte
/// by byte in docs/protocol/frames.md and pinned by golden frames in proto/wire/testdata.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "proto/wire/payload.h"

namespace kaido::wire {

inline constexpr std::size_t kHeaderBytes = 64;

/// What a frame says. Values are part of the protocol: never reused, never renumbered. 12 and 14 are taken: nobody ever
/// sent what they stood for.
enum class FrameKind : std::uint8_t {
  kHello = 1,
  kWelcome = 2,
  kRegister = 3,
  kRegistered = 4,
  kPrepare = 5,
  kPrepared = 6,
  kCall = 7,
  kStarted = 8,
  kResult = 9,
  kCancel = 10,
  kRedirect = 11,
  kNodeInfo = 13,
  kPing = 15,
  kPong = 16,
  kGoodbye = 17,
  kChunk = 18,
  kWindow = 19,
  kYield = 20,           ///< an app: this call waits for one of its own, and uses no slot
  kResume = 21,          ///< an app: it goes on
  kQueued = 22,          ///< an executor: the attempt waits for a slot; without it, it was started when it arrived
  kInquire = 23,         ///< an origin, after a link broke: is this attempt with you?
  kNodeInfoDelta = 24,   ///< what changed since the node info of a version
  kNodeInfoWanted = 25,  ///< that one is not known here: all of it, please
};

/// The kind's name for logs and errors; "unknown" for a number that this version does not know.
[[nodiscard]] std::string_view name(FrameKind kind);

/// Whether this version knows the kind.
[[nodiscard]] bool is_known(FrameKind kind);

/// A receiver that does not know the frame's kind skips it instead of closing the connection.
inline constexpr std::uint8_t kIgnorable = 1U << 0;

/// The payload begins with a StreamPrefix and is only the first chunk of what it announces; Chunk frames follow.
inline constexpr std::uint8_t kStreamed = 1U << 1;

/// Of a Chunk: its sender gives the payload up, no more will come. Of a Window: its receiver does not want the rest.
inline constexpr std::uint8_t kAbort = 1U << 2;

/// Distributed tracing's identity of a call (W3C Trace Context): all zero when the call is not traced.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::uint64_t span_id = 0;
  bool operator==(const TraceContext&) const = default;
};

struct Load;

/// The header as values. Which field means what for which kind is the table in docs/protocol/frames.md.
struct FrameHeader {
  std::uint32_t length = kHeaderBytes;  ///< of the whole frame, header included
  FrameKind kind = FrameKind::kPing;
  std::uint8_t flags = 0;
  std::uint16_t attempt_low = 0;  ///< see attempt()
  std::uint32_t metadata_length = 0;
  std::uint32_t template_or_status = 0;  ///< of Prepare and Call: the template; of Result and Prepared: the Outcome
  std::uint64_t call_id = 0;
  std::uint64_t budget_ns = 0;  ///< time left until the deadline when sent; 0: none. Relative, since clocks differ
  TraceContext trace;
  std::uint64_t aux = 0;  ///< the attempt's high bits and the sender's load; of Chunk and Window: an offset
  bool operator==(const FrameHeader&) const = default;

  /// 32 bits: 16 of them are in the last two bytes of `aux`.
  [[nodiscard]] std::uint32_t attempt() const { return static_cast<std::uint32_t>(aux >> 48) << 16 | attempt_low; }
  void set_attempt(std::uint32_t attempt) {
    attempt_low = static_cast<std::uint16_t>(attempt);
    aux = (aux & kLoadMask) | static_cast<std::uint64_t>(attempt >> 16) << 48;
  }

  /// Node⇄node: how loaded the sender is.
  [[nodiscard]] inline Load load() const;
  inline void set_load(Load load);

  static constexpr std::uint64_t kLoadMask = 0x0000ffffffffffff;
};

/// A node's load, piggybacked in `aux`: what a chooser needs to compare two nodes.
struct Load {
  std::uint32_t busy = 0;   ///< attempts running and queued
  std::uint32_t slots = 0;  ///< attempts that can run at once; 65 535 on the wire stands for more
  bool operator==(const Load&) const = default;
};

/// Whether `cancel` is of this call: of this attempt, or, with attempt 0, of whatever bears the id. A node numbers a
/// worker's calls by attempt and cancels them so.
[[nodiscard]] inline bool cancels(const FrameHeader& cancel, const FrameHeader& call) {
  return cancel.call_id == call.call_id && (cancel.attempt() == 0 || cancel.attempt() == call.attempt());
}

inline Load FrameHeader::load() const {
  return {static_cast<std::uint32_t>(aux), static_cast<std::uint32_t>(aux >> 32) & 0xffff};
}

inline void FrameHeader::set_load(Load load) {
  const std::uint64_t slots = load.slots < 0xffff ? load.slots : 0xffff;
  aux = (aux & ~kLoadMask) | slots << 32 | load.busy;
}

/// Before the first chunk of a payload that travels in chunks.
struct StreamPrefix {
  std::uint64_t size = 0;    ///< of the whole payload
  std::uint64_t stream = 0;  ///< the call_id of the Chunk and Window frames; the sender never uses it again
};
inline constexpr std::size_t kStreamPrefixBytes = sizeof(StreamPrefix);
static_assert(kStreamPrefixBytes == 16 && std::is_trivially_copyable_v<StreamPrefix>);

/// A complete frame. The metadata is to be read while the frame is handled: it lies in its reader's buffer and is gone
/// when that is touched. The payload has an owner: whoever needs it longer takes a copy of the handle.
struct FrameView {
  FrameView() = default;
  FrameView(const FrameHeader& of, std::span<const std::byte> its_metadata, Payload its_payload)
      : header(of), metadata(its_metadata), payload(std::move(its_payload)) {}

  FrameHeader header;
  std::span<const std::byte> metadata;
  Payload payload;
};

// The struct lies in memory as the header lies on the wire, so that encoding and decoding are one copy of 64 bytes.
// Field by field it was four times as slow: small stores followed by the wide loads that pass the struct on stall.
static_assert(std::endian::native == std::endian::little, "the header is copied as it lies in memory");
static_assert(sizeof(FrameHeader) == kHeaderBytes && std::is_trivially_copyable_v<FrameHeader>);
static_assert(offsetof(FrameHeader, length) == 0 && offsetof(FrameHeader, kind) == 4 &&
              offsetof(FrameHeader, flags) == 5 && offsetof(FrameHeader, attempt_low) == 6 &&
              offsetof(FrameHeader, metadata_length) == 8 && offsetof(FrameHeader, template_or_status) == 12 &&
              offsetof(FrameHeader, call_id) == 16 && offsetof(FrameHeader, budget_ns) == 24 &&
              offsetof(FrameHeader, trace) == 32 && offsetof(TraceContext, span_id) == 16 &&
              offsetof(FrameHeader, aux) == 56);

/// Writes the header. `length` and `metadata_length` are written as they stand.
inline void encode(const FrameHeader& header, std::span<std::byte, kHeaderBytes> out) {
  std::memcpy(out.data(), &header, kHeaderBytes);
}

/// Reads a header without judging it: whether its lengths make sense is FrameReader's question.
[[nodiscard]] inline FrameHeader decode(std::span<const std::byte, kHeaderBytes> in) {
  FrameHeader header;
  std::memcpy(&header, in.data(), kHeaderBytes);
  return header;
}

/// A protobuf message's bytes, or any text, as a span.
[[nodiscard]] inline std::span<const std::byte> as_span(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
[[nodiscard]] inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace kaido::wire
