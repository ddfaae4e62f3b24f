/// Body: a payload that is under way. Its chunks arrive from one link and are taken, in order, by another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "proto/wire/memory_budget.h"
#include "proto/wire/payload.h"

namespace kaido::wire {

class Body;

/// Why a body will never be complete.
enum class BodyFailure : std::uint8_t {
  kNone,
  kAborted,         ///< its sender gave it up: it failed there, or its call was cancelled
  kConnectionLost,  ///< the connection that it came by ended
  kTooLarge,        ///< its announced size is beyond the receiver's limit
  kTooManyStreams,  ///< more are under way on its connection than the receiver takes
  kBrokeProtocol,   ///< its sender sent what it may not: beyond its window, beyond its size, with a gap
  kNoMemory,        ///< the receiver has no memory for its beginning
  kStalled,         ///< its sender, or its taker, did nothing for too long
};

/// For error texts, e.g. "its sender gave it up".
[[nodiscard]] std::string_view name(BodyFailure failure);

/// Who takes the chunks. Called from inside the body's functions: take a note, act later.
class BodySink {
 public:
  /// More has arrived.
  virtual void on_chunk() = 0;
  /// No more will; body.failure() says why. The handle may be dropped.
  virtual void on_failed() = 0;
  /// Another sink takes the body, from its beginning: whatever this one has passed on is void.
  virtual void on_detached() = 0;

 protected:
  ~BodySink() = default;
};

/// Who delivers the chunks. Called from inside the body's functions.
class BodySource {
 public:
  /// The sink was found ready, or has released more: time to grant.
  virtual void on_demand(Body& body) = 0;
  /// The last handle is gone, and the body with it: nobody wants the rest.
  virtual void on_abandoned(Body& body) = 0;

 protected:
  ~BodySource() = default;
};

/// The chunks of one payload from its first byte to its last.
///
/// A taker attaches itself, reads at its own offset, and releases what it will not need again. Until the first release
/// the beginning stays, so that another taker can start over: the sender's side sends no more than the first chunk
/// before a taker has opened the body. A retained body keeps everything, and can be started over at any time.
///
/// Threading: as its handles', see Payload. Lifetime: ends with its last handle.
class Body final : public Counted {
 public:
  /// The only handle of a new body of `size` bytes, at least one. `source` is told what becomes of it until it is
  /// complete, has failed or was disowned.
  /// `charge`: what pays for the bytes that are here, and holds none yet.
  [[nodiscard]] static Payload make(std::size_t size, BodySource& source, Charge charge = {});
  /// One that has failed already.
  [[nodiscard]] static Payload make_failed(std::size_t size, BodyFailure failure);

  // --- the source's side ---
  /// The next bytes. No more than are missing.
  void push(const Payload& chunk);
  /// What waits for a taker, or for its taker's own, must not pin the blocks of whole reads: called when the turn in
  /// which it came is over.
  void compact();
  /// Whether so many bytes more may be here.
  [[nodiscard]] bool has_memory(std::size_t bytes) const { return charge_.has_room(bytes); }
  void fail(BodyFailure failure);
  /// The source is no more; what is missing will not come.
  void disown(BodyFailure failure);

  // --- the taker's side ---
  /// From now on this is the one sink, and its connection pays. Only of a replayable body.
  void attach(BodySink& sink, MemoryOwner owner = {});
  void detach(BodySink& sink);
  /// The taker can pass on more than the first chunk: its own receiver has granted something.
  void open();
  /// The bytes at `offset` that lie in one piece; empty if they have not arrived.
  [[nodiscard]] Payload at(std::size_t offset) const;
  /// The bytes before `offset` are not needed again by this taker.
  void release(std::size_t offset);

  // --- whoever holds a handle ---
  /// Keeps all chunks for as long as the body lives, and whoever asks for it pays. Only while it is replayable.
  void retain();
  /// Whether a taker can start from the first byte.
  [[nodiscard]] bool is_replayable() const { return is_retained_ || released_ == 0; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t arrived() const { return arrived_; }
  [[nodiscard]] std::size_t released() const { return released_; }
  [[nodiscard]] bool is_open() const { return is_open_; }
  [[nodiscard]] bool is_complete() const { return arrived_ == size_; }
  [[nodiscard]] bool has_failed() const { return failure_ != BodyFailure::kNone; }
  [[nodiscard]] BodyFailure failure() const { return failure_; }
  /// The memory that its chunks pin now.
  [[nodiscard]] std::size_t footprint() const;

 private:
  friend void destroy(Body* body) noexcept;

  struct Chunk {
    std::size_t offset;
    Payload bytes;
  };

  /// How much larger than itself a block may be that a chunk pins while its taker has not opened.
  static constexpr std::size_t kChunkPinnedFactor = 4;

  explicit Body(std::size_t size);
  ~Body() = default;
  void push_copy(std::span<const std::byte> bytes);
  [[nodiscard]] Payload* last_in_tail();
  void grow_tail(std::size_t least);
  void settle_charge();

  const std::size_t size_;
  std::size_t arrived_ = 0;
  std::size_t released_ = 0;
  std::deque<Chunk> chunks_;
  BlockRef tail_;  // Where small chunks go: from tail_end_ on there is tail_room_.
  std::byte* tail_end_ = nullptr;
  std::size_t tail_room_ = 0;
  Charge charge_;
  BodySource* source_ = nullptr;
  BodySink* sink_ = nullptr;
  BodyFailure failure_ = BodyFailure::kNone;
  bool is_open_ = false;
  bool is_retained_ = false;
};

/// The last handle is gone.
void destroy(Body* body) noexcept;

}  // namespace kaido::wire
