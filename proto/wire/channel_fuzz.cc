/// Any bytes, cut anywhere, into a channel whose frames are passed on by another, as a node does: never a crash, never
/// more than the limits say, never bytes that the next hop does not understand, and nothing is left when it ends.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "proto/base/check.h"
#include "proto/wire/body.h"
#include "proto/wire/channel_pipe.h"
#include "proto/wire/frame.h"
#include "proto/wire/payload.h"
#include "proto/wire/window_budget.h"

namespace {

using namespace kaido::wire;

constexpr std::size_t kMaxMessage = 1U << 16;
constexpr std::size_t kMaxStreamsIn = 4;
constexpr std::size_t kWindow = 1000;

/// What a node may do with a frame, chosen by its call id.
void pass_on(const FrameView& frame, TestEnd& out, std::vector<Payload>& kept) {
  KAIDO_CHECK(frame.payload.size() <= kMaxMessage || frame.payload.body()->has_failed());
  switch (frame.header.call_id % 4) {
    case 0:
      return;  // dropped
    case 1:
      if (frame.payload.body() != nullptr && frame.payload.body()->is_replayable()) frame.payload.body()->retain();
      kept.push_back(frame.payload.kept());
      break;
    default:
      break;
  }
  static_cast<void>(out.channel.send(frame.header, frame.metadata, frame.payload));
  if (kept.size() > 3) {
    static_cast<void>(out.channel.send(frame.header, {}, kept.front()));  // started over
    kept.erase(kept.begin());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[size - 1];
  WindowBudget budget(2 * kWindow);
  {
    const ChannelOptions options{
        .message_bytes_max = kMaxMessage, .streams_max = kMaxStreamsIn, .window_bytes = kWindow, .budget = &budget};
    TestEnd in(options);
    TestEnd out;
    TestEnd worker({.assemble = true});
    std::vector<Payload> kept;
    in.on_frame = [&](const FrameView& frame) { pass_on(frame, out, kept); };
    while (size > 0 && !in.channel.failed()) {
      const auto space = in.channel.writable();
      const std::size_t count = std::min({step, size, space.size()});
      std::memcpy(space.data(), data, count);
      in.channel.commit(count);
      data += count;
      size -= count;
      while (auto frame = in.channel.next()) in.on_frame(*frame);
      KAIDO_CHECK(in.channel.streams_in() <= kMaxStreamsIn);
      kaido::base::Random random(size);
      settle(out, worker, random, 5000);
      KAIDO_CHECK(!worker.channel.failed() && !out.channel.failed());
    }
    in.channel.close();
    kept.clear();
    kaido::base::Random random(1);
    settle(out, worker, random);
    KAIDO_CHECK(out.channel.streams_out() == 0 && worker.channel.streams_in() == 0 && out.channel.is_flushed());
  }
  KAIDO_CHECK(budget.used() == 0);
  return 0;
}
