/// The bounds of the wire, in one place. Each has a name here, a setting where an operator may want another value
/// (docs/operating/configuration.md), and a counter for when it is hit (docs/operating/metrics.md).
#pragma once

#include <cstddef>
#include <cstdint>

namespace kaido::wire {

/// The largest frame, header included. Raising it lets one call occupy more memory at its two ends, and where
/// it waits for a node; hops between hold kStreamWindowBytes of it. Lowering it refuses large arguments. Setting:
/// limits.max_frame_bytes.
inline constexpr std::uint32_t kMaxFrameBytes = 64U << 20;

/// What a relay may add to a frame that it was given (a worker's CallInfo, a redirect's reason). Who receives relayed
/// frames accepts this much more than it announced, so that the largest call passes every hop.
inline constexpr std::uint32_t kFrameHeadroomBytes = 4096;

/// The largest metadata of a frame. Metadata is parsed, payload is not, so it is kept far smaller. Must exceed
/// kMaxFunctionBytesPerNode, or a node could not say what it offers.
inline constexpr std::uint32_t kMaxMetadataBytes = 4U << 20;

/// How many calls an app may have in flight at its node before further ones wait in the app. Setting:
/// limits.calls_per_app.
inline constexpr std::uint32_t kCallsPerApp = 4096;

/// How many prepared templates a connection may hold: a bound on what a peer can make us remember.
inline constexpr std::uint32_t kMaxTemplates = 65536;

/// What the templates of one app may take in all. Raising it lets one app with many different rules take more of the
/// node's memory; beyond it templates are refused, and so are their calls. Setting:
/// limits.template_bytes_per_connection.
inline constexpr std::size_t kMaxTemplateBytes = 16U << 20;

/// How many functions an app may register.
inline constexpr std::uint32_t kMaxFunctionsPerApp = 4096;

/// The largest schema of one function. People's signatures take a few hundred bytes; generated messages bring their
/// whole files along. Raising it makes reading one cost more of the node's time (about 10 ms for this many).
inline constexpr std::size_t kMaxSchemaBytes = 64U << 10;

/// The longest signature, which is for people.
inline constexpr std::size_t kMaxSignatureBytes = 16U << 10;

/// What one app's, and all apps' functions on one node may take in all: names, signatures and schemas. Every node holds
/// them of every other. Raising the second needs a larger kMaxMetadataBytes.
inline constexpr std::size_t kMaxFunctionBytesPerApp = 1U << 20;
inline constexpr std::size_t kMaxFunctionBytesPerNode = 3U << 20;

/// The longest name of a function, node, app, tag key or tag value.
inline constexpr std::size_t kMaxNameBytes = 512;

/// How many bytes may wait for one connection's socket; beyond it no further frame is taken, and the connection goes
/// on. At least kMaxFrameBytes, or the largest frame could not be sent. Setting: limits.queued_bytes_per_connection.
inline constexpr std::size_t kMaxQueuedBytes = 256U << 20;

/// An error of so few bytes of metadata is taken beyond an owner's share of memory: it is said in place of an answer
/// that found no room, and there is nothing smaller. Must hold any text of the daemon's own; raising it lets errors
/// that apps made pass as such.
inline constexpr std::size_t kLeastErrorBytes = 1U << 10;

/// What a connection that has kMaxQueuedBytes to send may have besides, of frames that carry no work: an announcement,
/// and an error in place of each answer that finds it full. Raising it lets a reader who does not read keep more. Where
/// a node allows so many calls that their errors need more, it is more, up to an eighth of limits.memory: beyond it the
/// link of a node that only pauses is ended.
inline constexpr std::size_t kReservedQueuedBytes = 8U << 20;

/// What one read asks for. Larger reads gather more frames a turn; beyond 256 KiB nothing more was gained.
inline constexpr std::size_t kReadBytes = 256U << 10;

/// What a connection may keep of a frame that has begun when the node has no memory for it: any chunk, so that what is
/// under way comes to its end and gives memory back. Times the number of connections, it is what the node takes beyond
/// its bound at most.
inline constexpr std::size_t kLeastReadBytes = 68U << 10;

/// What small frames are copied into. Larger blocks would be held by connections that have a few bytes to send and
/// cannot; smaller ones take more segments for one write.
inline constexpr std::size_t kOutputBlockBytes = 64U << 10;

/// A payload larger than this travels in chunks of at most this size, which let other frames pass between them. Smaller
/// chunks cost more headers and system calls, larger ones make small frames wait longer.
inline constexpr std::size_t kChunkBytes = 64U << 10;

/// How far a sender of chunks may be ahead of their taker: what a node holds of one payload that it passes on. Must be
/// what a link carries in a round trip, or large payloads are slower than it: 1 MiB is 8 Gb/s at 1 ms.
inline constexpr std::size_t kStreamWindowBytes = 1U << 20;

/// How many chunked payloads may be under way on one connection in each direction. Each may make its receiver hold a
/// first chunk before it has a taker.
inline constexpr std::size_t kMaxStreams = 1024;

/// How much memory a connection's large payloads take at once where they are put together: at an app. Further ones
/// wait. A single one may be larger.
inline constexpr std::size_t kMaxAssemblingBytes = 256U << 20;

/// A chunked payload that does not move while others of its connection do is given up after so many times the time
/// after which all of them together count as stalled. Raising it lets one that nobody takes hold its place for longer;
/// lowering it gives up those that only wait for their turn.
inline constexpr std::uint32_t kStalledPatience = 10;

/// How many bytes of chunks are in a connection's output at once: what a small frame waits behind, besides small ones.
inline constexpr std::size_t kBulkQueuedBytes = 256U << 10;

/// The largest frame that is ever on the wire: any metadata, and one chunk.
inline constexpr std::uint32_t kMaxWireFrameBytes = 64 + kMaxMetadataBytes + 16 + (64U << 10);

}  // namespace kaido::wire
