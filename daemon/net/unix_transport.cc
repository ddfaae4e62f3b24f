#include "daemon/net/unix_transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include "daemon/net/establish.h"
#include "daemon/net/socket_address.h"
#include "daemon/net/socket_file.h"
#include "daemon/net/socket_listener.h"
#include "daemon/runtime/timer.h"

namespace kaido::daemon {
namespace {

// A Unix socket answers connect() at once, or says that its backlog is full: then it is asked again so soon.
constexpr base::Duration kBacklogRetry = std::chrono::milliseconds(5);

/// Asks until the backlog has room, or the deadline of its Dial stops it.
class UnixDial final {
 public:
  UnixDial(Loop& loop, Dial& dial, const SocketAddress& address, std::string target)
      : dial_(dial), address_(address), target_(std::move(target)), retry_(loop, [this] { attempt(); }) {}

  void attempt() {
    Descriptor socket = make_socket(AF_UNIX);
    if (!socket.valid()) {
      dial_.failed(system_error(errno, "cannot connect to " + target_));
      return;
    }
    if (::connect(socket.get(), address_.get(), address_.size) == 0) {
      dial_.connected(unix_stream(std::move(socket)));
      return;
    }
    if (errno == EAGAIN) {
      retry_.set_after(kBacklogRetry);
      return;
    }
    dial_.failed(system_error(errno, "cannot connect to " + target_));
  }

 private:
  Dial& dial_;
  const SocketAddress address_;
  const std::string target_;
  Timer retry_;
};

}  // namespace

base::StatusOr<std::unique_ptr<Listener>> UnixTransport::listen(const Address& address, const ListenOptions& options,
                                                                OnAccept on_accept) {
  if (address.kind() != Address::Kind::kUnix)
    return absl::InvalidArgumentError(address.to_string() + " is no unix address");
  KAIDO_RETURN_IF_ERROR(security_.check({address.to_string(), Reach::kHost}, StreamRole::kAccepting));
  auto made = SocketFile::listen(address.host(), options.unix_mode, SOMAXCONN);
  if (!made.ok()) return std::move(made).status();
  // The file goes with the listener.
  std::shared_ptr<SocketFile> file = *std::move(made);
  Descriptor socket = file->release_descriptor();
  return std::make_unique<SocketListener>(loop_, security_, std::move(socket), address, options, std::move(on_accept),
                                          unix_stream, [file]() mutable { file.reset(); });
}

std::unique_ptr<ConnectOperation> UnixTransport::connect(const Address& address, base::Instant deadline,
                                                         const ConnectionOptions& options, OnConnect on_connect) {
  const auto dial =
      std::make_shared<Dial>(loop_, security_, address.to_string(), deadline, options, std::move(on_connect));
  auto handle = dial->start();
  const std::optional<SocketAddress> target =
      address.kind() == Address::Kind::kUnix ? unix_address(address.host()) : std::nullopt;
  const base::Status allowed = security_.check({address.to_string(), Reach::kHost}, StreamRole::kConnecting);
  if (!target) {
    dial->failed(absl::InvalidArgumentError(address.to_string() + " is no usable unix address"));
  } else if (!allowed.ok()) {
    dial->failed(allowed);
  } else {
    const auto attempt = std::make_shared<UnixDial>(loop_, *dial, *target, address.to_string());
    dial->set_stop([attempt] {});  // owns it: the attempt ends with the dial
    attempt->attempt();
  }
  return handle;
}

}  // namespace kaido::daemon
