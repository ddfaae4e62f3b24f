#include "daemon/net/unix_transport.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "daemon/net/establish.h"
#include "daemon/net/socket_address.h"
#include "daemon/net/socket_listener.h"
#include "daemon/runtime/timer.h"

namespace kaido::daemon {
namespace {

// A Unix socket answers connect() at once, or says that its backlog is full: then it is asked again so soon.
constexpr base::Duration kBacklogRetry = std::chrono::milliseconds(5);

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Removes a socket file on which nobody answers any more; leaves alone whatever else is there.
base::Status remove_stale(const std::string& path, const SocketAddress& address) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? base::Status() : system_error(errno, "cannot look at " + path);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return absl::AlreadyExistsError("cannot listen on unix:" + path +
                                    ": the file exists and is no socket; remove it or choose another path");
  }
  const Descriptor probe = make_socket(AF_UNIX);
  if (!probe.valid()) return system_error(errno, "cannot make a socket");
  if (::connect(probe.get(), address.get(), address.size) == 0 || errno == EAGAIN) {
    return absl::AlreadyExistsError("cannot listen on unix:" + path +
                                    ": another process answers there; stop it or choose another path");
  }
  if (errno != ECONNREFUSED) return system_error(errno, "cannot tell whether anybody answers on unix:" + path);
  if (::unlink(path.c_str()) != 0) return system_error(errno, "cannot remove the stale socket " + path);
  return base::Status();
}

base::StatusOr<Descriptor> bind_and_listen(const std::string& path, unsigned mode) {
  const std::optional<SocketAddress> address = unix_address(path);
  if (!address) {
    return absl::InvalidArgumentError("cannot listen on unix:" + path + ": the path is empty or longer than 107 bytes");
  }
  const std::string what = "cannot listen on unix:" + path;
  // The folder is locked meanwhile: of two processes that find one stale socket, one must not remove the other's new
  // one.
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return system_error(errno, what + ": its folder");
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::UnavailableError(what + ": another process is setting up a socket in that folder; try again");
  }
  KAIDO_RETURN_IF_ERROR(remove_stale(path, *address));
  Descriptor socket = make_socket(AF_UNIX);
  if (!socket.valid()) return system_error(errno, what);
  if (::bind(socket.get(), address->get(), address->size) != 0) return system_error(errno, what);
  // Before listen(): nobody can connect while the mode is not yet what was asked for.
  if (::chmod(path.c_str(), mode) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return system_error(error, what);
  }
  return socket;
}

// Removes the file when the listener goes, unless somebody has put another in its place.
std::function<void()> remover(const std::string& path) {
  struct stat ours{};
  if (::lstat(path.c_str(), &ours) != 0) return nullptr;
  return [path, device = ours.st_dev, inode = ours.st_ino] {
    struct stat found{};
    if (::lstat(path.c_str(), &found) == 0 && found.st_dev == device && found.st_ino == inode) ::unlink(path.c_str());
  };
}

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
  auto socket = bind_and_listen(address.host(), options.unix_mode);
  if (!socket.ok()) return std::move(socket).status();
  return std::make_unique<SocketListener>(loop_, security_, *std::move(socket), address, options, std::move(on_accept),
                                          unix_stream, remover(address.host()));
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
