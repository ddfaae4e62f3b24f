/// How the sending of a large payload ended.
#pragma once

#include <cstdint>

#include "proto/wire/body.h"
#include "proto/wire/frame.h"

namespace kaido::wire {

enum class StreamEnd : std::uint8_t {
  kPassedOn,  ///< its last chunk is in the output
  kFailed,    ///< its own sender gave it up, or is gone: aborted
  kStalled,   ///< its receiver took nothing of it for too long: aborted
  kUnwanted,  ///< its receiver does not want the rest, or it was cancelled
};

/// Told how large payloads end that a channel was given to send, but for those that end with their connection. Called
/// from inside the functions of this channel, and of those that payloads come from: take a note, act later.
class StreamListener {
 public:
  /// `failure`: of a kFailed, why.
  virtual void on_stream_end(const FrameHeader& announced, StreamEnd end, BodyFailure failure) = 0;

 protected:
  ~StreamListener() = default;
};

}  // namespace kaido::wire
