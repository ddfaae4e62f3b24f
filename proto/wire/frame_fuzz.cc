/// Any bytes, cut anywhere, must give frames or an error: never a crash, never a frame beyond the bytes, and what comes
/// out must encode to the bytes that went in.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "proto/base/check.h"
#include "proto/wire/frame_reader.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/written.h"

namespace {

constexpr std::uint32_t kMaxFrame = 1U << 16;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The last byte also says how the stream is cut, so that partial reads are explored too.
  const std::size_t step = 1 + data[size - 1];
  const std::uint8_t* rest = data;
  std::size_t left = size;
  kaido::wire::FrameReader reader(kMaxFrame, kMaxFrame / 2);
  kaido::wire::FrameWriter writer;
  while (left > 0 && !reader.failed()) {
    const auto space = reader.writable();
    const std::size_t count = std::min({step, left, space.size()});
    std::memcpy(space.data(), rest, count);
    reader.commit(count);
    rest += count;
    left -= count;
    while (auto frame = reader.next()) {
      KAIDO_CHECK(frame->header.length <= kMaxFrame);
      writer.append(frame->header, frame->metadata, frame->payload);
    }
  }
  // The input begins with exactly the frames that were handed out.
  const std::string written = kaido::wire::take_written(writer);
  KAIDO_CHECK(written.size() <= size);
  KAIDO_CHECK(written.empty() || std::memcmp(written.data(), data, written.size()) == 0);
  return 0;
}
