#include "daemon/admin/admission.h"

#include <algorithm>

namespace kaido::daemon {

bool may_administrate(const AdminPeer& peer, uid_t own_uid, std::span<const gid_t> allowed_groups) {
  return peer.uid == 0 || peer.uid == own_uid ||
         std::find(allowed_groups.begin(), allowed_groups.end(), peer.gid) != allowed_groups.end();
}

AdminPreface classify_admin_preface(std::string_view first_bytes) {
  if (first_bytes.starts_with(kHttp2Preface)) {
    return AdminPreface::kComplete;
  }
  return kHttp2Preface.starts_with(first_bytes) ? AdminPreface::kPartial : AdminPreface::kForeign;
}

}  // namespace kaido::daemon
