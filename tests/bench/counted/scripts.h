/// Apps and nodes that say what they are told to say: the frames of docs/protocol/local.md, made and read outside of
/// what is counted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/ids.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_reader.h"
#include "proto/wire/frame_writer.h"

namespace kaido::bench {

inline constexpr std::uint64_t kCountedFunctionId = base::function_id_of("kaido::bench::counted").value;
inline constexpr std::uint64_t kCountedFingerprint = 0x1234;

/// Argument and result of every call: one string, as many bytes as in //tests/bench:call.
[[nodiscard]] std::span<const std::byte> counted_payload();

/// What is gathered to be written, until it was.
class Script {
 public:
  void result(std::uint64_t id);

  [[nodiscard]] std::span<const std::byte> bytes() const { return writer_.pending(); }
  void sent() { writer_.consume(writer_.pending_bytes()); }

 protected:
  wire::FrameWriter writer_;
};

/// What an app says.
class AppScript : public Script {
 public:
  void hello();
  void offer(std::uint32_t slots);
  /// Template 1.
  void prepare();
  void call(std::uint64_t id);
};

/// What a node says to its app.
class NodeScript : public Script {
 public:
  void welcome(std::uint32_t credits);
  void registered();
  /// A call of the app's first function.
  void dispatch(std::uint64_t id);
};

/// What an app, or a node in its stead, has read: the ids of the calls and of the successful results.
/// Errors: throws std::runtime_error for a result that did not succeed.
class FrameLog {
 public:
  void read(std::span<const std::byte> bytes);

  /// Those of the kind since it was asked for last.
  [[nodiscard]] std::vector<std::uint64_t> take(wire::FrameKind kind);
  /// What the other side said when it left; empty while it has not.
  [[nodiscard]] const std::string& goodbye() const { return goodbye_; }

 private:
  wire::FrameReader reader_;
  std::vector<std::pair<wire::FrameKind, std::uint64_t>> frames_;
  std::string goodbye_;
};

}  // namespace kaido::bench
