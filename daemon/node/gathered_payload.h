/// A payload that comes in chunks, gathered into one piece for somebody who needs it whole.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "proto/wire/body.h"
#include "proto/wire/payload.h"

namespace kaido::daemon {

/// Takes the chunks as they come. `done` is called once, from inside the payload's functions, with all of the bytes, or
/// with nothing where the payload failed.
///
/// Threading: confined to the node strand.
/// Lifetime: destroying it gives the rest up; `done` is not called then.
class GatheredPayload final : private wire::BodySink {
 public:
  using Done = std::function<void(std::optional<std::string> bytes)>;

  GatheredPayload(wire::Payload payload, Done done) : payload_(std::move(payload)), done_(std::move(done)) {
    bytes_.reserve(payload_.size());
  }
  ~GatheredPayload() {
    if (is_attached_) payload_.body()->detach(*this);
  }
  GatheredPayload(const GatheredPayload&) = delete;
  GatheredPayload& operator=(const GatheredPayload&) = delete;

  void start() {
    wire::Body& body = *payload_.body();
    if (body.has_failed()) return done_(std::nullopt);
    is_attached_ = true;
    body.attach(*this);
    body.open();
    on_chunk();
  }

 private:
  void on_chunk() override {
    if (is_done_) return;
    wire::Body& body = *payload_.body();
    while (bytes_.size() < body.size()) {
      const wire::Payload piece = body.at(bytes_.size());
      if (piece.empty()) return;
      bytes_.append(reinterpret_cast<const char*>(piece.bytes().data()), piece.size());
      body.release(bytes_.size());
    }
    is_done_ = true;
    done_(std::move(bytes_));
  }
  void on_failed() override {
    is_attached_ = false;
    if (!std::exchange(is_done_, true)) done_(std::nullopt);
  }
  void on_detached() override { is_attached_ = false; }

  wire::Payload payload_;
  const Done done_;
  std::string bytes_;
  bool is_attached_ = false;
  bool is_done_ = false;
};

}  // namespace kaido::daemon
