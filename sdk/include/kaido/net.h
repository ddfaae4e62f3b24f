/// Sockets for tasks: TCP and Unix streams, UDP. As small as tokio's semantics allow; for everything else (TLS,
/// WebSockets, name look-up, options) there is Asio in tasks, see <kaido/asio.h>.
///
///     auto listener = kaido::net::Listener::bind(kaido::net::Address::parse("127.0.0.1:0")).value();
///     auto accepted = co_await listener.accept();
///     auto count = co_await accepted.value().read(buffer);        // Expected<std::size_t, std::error_code>; 0 at the
///     end
///
/// Operations wait for readiness and then do the system call, so that nothing is borrowed while they wait: a dropped
/// operation costs nothing and loses nothing. They use the task's budget.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <kaido/detail/wait_list.h>
#include <kaido/detail/waker.h>
#include <kaido/error.h>
#include <kaido/expected.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// True for the error that sockets give because the runtime they belong to has ended, and for nothing else.
[[nodiscard]] bool is_rt_shutdown_err(const std::error_code& error) noexcept;
/// False for what a JoinHandle reports of a task that panicked or was cancelled.
[[nodiscard]] bool is_rt_shutdown_err(const Error& error) noexcept;

namespace net {

/// What an operation of this namespace gives that may fail: with a standard error code. kaido::IoResult (asio.h) is
/// that of Asio's operations, with Asio's error code; neither header needs the other.
template <typename T>
using IoResult = Expected<T, std::error_code>;

/// An IPv4, IPv6 or Unix socket address.
///
/// Threading: a value.
class Address {
 public:
  Address() noexcept = default;
  /// "127.0.0.1:80" or "[::1]:80"; port 0 lets the system choose. Throws std::invalid_argument; looks up no names.
  [[nodiscard]] static Address parse(std::string_view text);
  /// A path, or with a leading NUL a name without a file. Throws std::invalid_argument if it is too long.
  [[nodiscard]] static Address unix_path(std::string_view path);

  [[nodiscard]] int family() const noexcept;
  /// 0 for Unix addresses.
  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::string to_string() const;

  /// Internal: the system's own form, a sockaddr.
  [[nodiscard]] const void* data() const noexcept { return storage_.data(); }
  [[nodiscard]] void* data() noexcept { return storage_.data(); }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  void set_size(std::uint32_t size) noexcept { size_ = size; }
  /// The room for a sockaddr of any family.
  static constexpr std::uint32_t kMaxSize = 128;

 private:
  alignas(8) std::array<std::byte, kMaxSize> storage_{};
  std::uint32_t size_ = kMaxSize;
};

}  // namespace net

namespace detail {

class IoSource;  // A socket known to a runtime's driver.
using IoSourceRef = std::shared_ptr<IoSource>;
enum class IoDirection : unsigned char { kRead, kWrite };

/// Tries, and waits until trying again makes sense. One that has a name can be awaited again, and tries anew.
class IoOperation {
 public:
  IoOperation& operator=(IoOperation&&) = delete;
  bool poll(PollContext& context);

 protected:
  IoOperation(IoSourceRef source, IoDirection direction) noexcept : source_(std::move(source)), direction_(direction) {}
  /// One that waits must be awaited anew.
  IoOperation(IoOperation&& other) noexcept;
  ~IoOperation();
  [[nodiscard]] int socket() const noexcept;
  /// What went wrong, if anything did; the next try begins without it.
  [[nodiscard]] std::error_code take_error() noexcept { return std::exchange(error_, {}); }

  IoSourceRef source_;
  std::error_code error_;

 private:
  /// One system call that does not wait: its result, negative with errno on failure. Sets error_ itself where errno
  /// would say to try again later, and nothing will tell when.
  virtual long attempt() noexcept = 0;
  [[nodiscard]] bool try_once(PollContext& context);
  void leave() noexcept;

  const IoDirection direction_;
  QueuedNode node_;  // In the source's list of those who wait for the direction.
};

/// Operations that give a number of bytes.
class [[nodiscard]] IoTransfer : public IoOperation {
 public:
  net::IoResult<std::size_t> take() {
    if (const auto error = take_error()) return error;
    return count_;
  }

 protected:
  using IoOperation::IoOperation;
  IoTransfer(IoTransfer&&) noexcept = default;
  ~IoTransfer() = default;
  std::size_t count_ = 0;
};

class IoRead final : public IoTransfer {
 public:
  IoRead(IoSourceRef source, std::span<std::byte> buffer) noexcept
      : IoTransfer(std::move(source), IoDirection::kRead), buffer_(buffer) {}

 private:
  long attempt() noexcept override;
  std::span<std::byte> buffer_;
};

class IoWrite final : public IoTransfer {
 public:
  IoWrite(IoSourceRef source, std::span<const std::byte> buffer, std::optional<net::Address> to = std::nullopt) noexcept
      : IoTransfer(std::move(source), IoDirection::kWrite), buffer_(buffer), to_(std::move(to)) {}

 private:
  long attempt() noexcept override;
  std::span<const std::byte> buffer_;
  std::optional<net::Address> to_;
};

class [[nodiscard]] IoReadFrom final : public IoOperation {
 public:
  IoReadFrom(IoSourceRef source, std::span<std::byte> buffer) noexcept
      : IoOperation(std::move(source), IoDirection::kRead), buffer_(buffer) {}
  net::IoResult<std::pair<std::size_t, net::Address>> take() {
    if (const auto error = take_error()) return error;
    return std::pair<std::size_t, net::Address>(count_, from_);
  }

 private:
  long attempt() noexcept override;
  std::span<std::byte> buffer_;
  std::size_t count_ = 0;
  net::Address from_;
};

}  // namespace detail

namespace net {

/// A connected TCP or Unix stream.
///
/// Threading: one reader and one writer at a time, on any threads.
/// Lifetime: belongs to the runtime on which it was made; destroying it closes the connection.
/// Cancellation: read and write are safe: nothing is lost.
/// Errors: std::error_code; is_rt_shutdown_err() after the runtime's end. Making one outside a runtime, or on one
/// without enable_io(), throws std::logic_error.
class Stream {
 public:
  class Connect;

  /// Awaitable: IoResult<Stream>.
  static Connect connect(const Address& address);
  /// Internal.
  explicit Stream(detail::IoSourceRef source) noexcept : source_(std::move(source)) {}

  /// Awaitable: some bytes, at least one; 0 at the end of the stream.
  detail::IoRead read(std::span<std::byte> buffer) const noexcept { return {source_, buffer}; }
  /// Awaitable: how many of the bytes were taken, at least one.
  detail::IoWrite write(std::span<const std::byte> bytes) const noexcept { return {source_, bytes}; }
  /// The whole buffer; std::errc::connection_aborted if the stream ends before. Cancellation: what was read is lost.
  Task<IoResult<void>> read_exact(std::span<std::byte> buffer) const;
  /// All bytes. Cancellation: some of them may have been sent.
  Task<IoResult<void>> write_all(std::span<const std::byte> bytes) const;

  [[nodiscard]] Address local_address() const;

 private:
  detail::IoSourceRef source_;
};

class [[nodiscard]] Stream::Connect final : public detail::IoOperation {
 public:
  explicit Connect(const Address& address);
  IoResult<Stream> take() {
    if (const auto error = take_error()) return error;
    return Stream(std::move(source_));
  }

 private:
  long attempt() noexcept override;
  Address address_;
  bool has_started_ = false;
};

/// A listening TCP or Unix socket.
///
/// Threading: thread-safe.
/// Lifetime, Errors: as Stream.
/// Cancellation: accept() is safe: no connection is lost.
class Listener {
 public:
  class Accept;

  [[nodiscard]] static IoResult<Listener> bind(const Address& address);
  explicit Listener(detail::IoSourceRef source) noexcept : source_(std::move(source)) {}

  /// Awaitable: IoResult<Stream>, on the current runtime.
  Accept accept() const noexcept;
  [[nodiscard]] Address local_address() const;

 private:
  detail::IoSourceRef source_;
};

class [[nodiscard]] Listener::Accept final : public detail::IoOperation {
 public:
  explicit Accept(detail::IoSourceRef source) noexcept : IoOperation(std::move(source), detail::IoDirection::kRead) {}
  Accept(Accept&& other) noexcept : IoOperation(std::move(other)), accepted_(std::exchange(other.accepted_, -1)) {}
  ~Accept();
  IoResult<Stream> take();

 private:
  long attempt() noexcept override;
  int accepted_ = -1;
};
inline Listener::Accept Listener::accept() const noexcept { return Accept(source_); }

/// Threading: thread-safe.
/// Lifetime, Errors: as Stream.
/// Cancellation: safe; no datagram is lost.
class UdpSocket {
 public:
  [[nodiscard]] static IoResult<UdpSocket> bind(const Address& address);
  explicit UdpSocket(detail::IoSourceRef source) noexcept : source_(std::move(source)) {}

  /// From now on send() goes there, and recv() takes from there only.
  IoResult<void> connect(const Address& address) const;

  /// Awaitables.
  detail::IoWrite send(std::span<const std::byte> datagram) const noexcept { return {source_, datagram}; }
  detail::IoRead recv(std::span<std::byte> buffer) const noexcept { return {source_, buffer}; }
  detail::IoWrite send_to(std::span<const std::byte> datagram, const Address& to) const noexcept {
    return {source_, datagram, to};
  }
  detail::IoReadFrom recv_from(std::span<std::byte> buffer) const noexcept { return {source_, buffer}; }
  [[nodiscard]] Address local_address() const;

 private:
  detail::IoSourceRef source_;
};

}  // namespace net
}  // namespace kaido::inline abi0
#pragma GCC visibility pop
