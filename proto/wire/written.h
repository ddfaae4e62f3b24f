/// For tests: all that a writer has to send, in one piece.
#pragma once

#include <array>
#include <span>
#include <string>

#include "proto/wire/frame.h"
#include "proto/wire/frame_writer.h"

namespace kaido::wire {

/// Takes it out of the writer.
inline std::string take_written(FrameWriter& writer) {
  std::string text;
  while (!writer.empty()) {
    text += as_text(writer.pending());
    writer.consume(writer.pending().size());
  }
  return text;
}

}  // namespace kaido::wire
