/// For tests: what carries one channel's output into another's input, in pieces as a network cuts them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <utility>

#include "proto/base/random.h"
#include "proto/wire/channel.h"
#include "proto/wire/frame.h"

namespace kaido::wire {

/// One end of a connection in a test: a channel and what is done with the frames that come.
struct TestEnd {
  explicit TestEnd(const ChannelOptions& options = {}) : channel(options, [this] { ++wakes; }) {}

  Channel channel;
  std::function<void(const FrameView&)> on_frame = [](const FrameView&) {};
  int wakes = 0;
  std::uint64_t bytes_out = 0;
};

/// Moves at most `bytes_max` bytes from one end to the other and handles the frames; false if there were none to move.
inline bool carry(TestEnd& from, TestEnd& to, std::size_t bytes_max) {
  std::array<std::span<const std::byte>, 7> segments;
  const std::size_t count = from.channel.gather(segments);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < count && moved < bytes_max; ++i) {
    const std::span<std::byte> space = to.channel.writable();
    const std::size_t bytes = std::min({segments[i].size(), bytes_max - moved, space.size()});
    std::memcpy(space.data(), segments[i].data(), bytes);
    to.channel.commit(bytes);
    moved += bytes;
    if (bytes < segments[i].size()) break;
  }
  from.channel.consume(moved);
  from.bytes_out += moved;
  while (auto frame = to.channel.next()) to.on_frame(*frame);
  return moved != 0;
}

/// Both ways, cut at random, until nothing moves.
inline void settle(TestEnd& a, TestEnd& b, base::Random& random, std::uint32_t cut = 100'000) {
  bool moved = true;
  while (moved) {
    moved = carry(a, b, 1 + random.below(cut));
    moved = carry(b, a, 1 + random.below(cut)) || moved;
  }
}

}  // namespace kaido::wire
