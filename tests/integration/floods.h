/// Strangers that speak the protocol and take as much of a daemon's memory as they can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/wire/frame.h"
#include "proto/wire/frame_writer.h"
#include "tests/support/raw_socket.h"
#include "tests/support/test_cluster.h"

namespace kaido::test {

/// A connection that says what it wants and reads nothing.
class Stranger {
 public:
  /// An app that has said hello.
  [[nodiscard]] static Stranger app(const TestNode& node);
  /// Another node, up to its node info, which takes about so many bytes. `number` tells its id and name.
  [[nodiscard]] static Stranger peer(const TestNode& node, std::uint32_t number, std::size_t info_bytes);

  /// A placement of about 70 KiB in memory, unlike all others of another number.
  void prepare_large(std::uint32_t id);
  /// The function `echo` of the test's workers; `is_idempotent`: its arguments are kept until it ends.
  void prepare_echo(std::uint32_t id, bool is_idempotent);
  /// A call of a template with a text of so many bytes as its argument.
  void call(std::uint32_t template_id, std::uint64_t call_id, std::size_t bytes);
  /// The beginning of a frame of so many bytes in all.
  void begin_frame(std::size_t length, std::size_t sent);
  /// Sends what was said so far. False if the daemon does not take it.
  bool send();

 private:
  explicit Stranger(RawSocket socket) : socket_(std::move(socket)) {}

  RawSocket socket_;
  wire::FrameWriter out_;
};

/// Peak of the process's resident memory so far, in bytes.
[[nodiscard]] std::size_t peak_memory(pid_t process);
/// Its resident memory now.
[[nodiscard]] std::size_t resident_memory(pid_t process);

}  // namespace kaido::test
