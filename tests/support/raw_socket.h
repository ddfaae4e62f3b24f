/// A blocking socket for tests that speak to a daemon byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kaido::test {

/// Threading: one thread.
/// Errors: a socket that could not connect behaves like one whose peer has closed.
class RawSocket {
 public:
  [[nodiscard]] static RawSocket connect_unix(const std::string& path);
  [[nodiscard]] static RawSocket connect_tcp(std::uint16_t port);  ///< of this host
  RawSocket(RawSocket&& other) noexcept;
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket();

  [[nodiscard]] bool is_connected() const { return descriptor_ >= 0; }
  /// Whether all of it was taken.
  bool write(std::string_view bytes);
  /// Everything until the other side closes, or for kPatience.
  [[nodiscard]] std::string read_to_end();
  /// Whether the other side closes within kPatience; reads and drops what it says before.
  [[nodiscard]] bool is_closed_by_peer();

 private:
  explicit RawSocket(int descriptor) : descriptor_(descriptor) {}
  bool read_some(std::string& into);

  int descriptor_;
  bool is_at_end_ = false;
};

/// GET from this host. The status is 0 if nobody answers.
struct HttpAnswer {
  int status = 0;
  std::string body;
};
[[nodiscard]] HttpAnswer http_get(std::uint16_t port, std::string_view target);

/// A port of this host that nobody listens on, outside the range from which the kernel takes those of clients.
[[nodiscard]] std::uint16_t free_port();

}  // namespace kaido::test
