/// Who is let in at the admin socket: the deciding part of AdminServer, without sockets.
#pragma once

#include <sys/types.h>

#include <span>
#include <string_view>

namespace kaido::daemon {

/// What the kernel says about the process at the other end of a Unix socket.
struct AdminPeer {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// Root, the daemon's own user, and members of the allowed groups may ask.
[[nodiscard]] bool may_administrate(const AdminPeer& peer, uid_t own_uid, std::span<const gid_t> allowed_groups);

/// What a connection's first bytes say.
enum class AdminPreface {
  /// HTTP/2's connection preface is complete.
  kComplete,
  /// So far it is the beginning of one.
  kPartial,
  /// Something else.
  kForeign,
};

/// The first bytes of every HTTP/2 client (RFC 9113, 3.4).
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

[[nodiscard]] AdminPreface classify_admin_preface(std::string_view first_bytes);

}  // namespace kaido::daemon
