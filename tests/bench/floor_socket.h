/// The floor's frames and sockets: blocking descriptors, one big buffer each way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kaido::bench {

/// As large as Kaido's own header, with what a relay patches.
struct FloorHeader {
  std::uint32_t length = 0;  // Of the whole frame.
  std::uint32_t kind = 0;
  std::uint64_t call_id = 0;
  std::uint64_t source = 0;
  std::byte unused[40] = {};
};
static_assert(sizeof(FloorHeader) == 64);

/// A connected Unix stream socket with frames in both directions.
///
/// Threading: confined to its owner. Errors: a lost connection ends the process, as the benchmark is over then.
class FloorSocket {
 public:
  explicit FloorSocket(int descriptor);
  ~FloorSocket();

  FloorSocket(const FloorSocket&) = delete;
  FloorSocket& operator=(const FloorSocket&) = delete;

  /// Reads once. False at the end of the stream.
  [[nodiscard]] bool read();

  /// The next whole frame of what was read, or an empty span. It may be patched in place until the next read().
  [[nodiscard]] std::span<std::byte> next();

  void append(std::span<const std::byte> bytes) { output_.insert(output_.end(), bytes.begin(), bytes.end()); }
  void append(const FloorHeader& header, std::span<const std::byte> payload);
  [[nodiscard]] bool has_output() const { return !output_.empty(); }

  /// Writes everything gathered.
  void flush();

  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
  std::vector<std::byte> input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::vector<std::byte> output_;
};

[[nodiscard]] int listen_unix(const std::string& path);
[[nodiscard]] int connect_unix(const std::string& path);

}  // namespace kaido::bench
