/// The rooms of one node, in the order in which they are built; destroyed in the reverse. Inside of daemon/node.
#pragma once

#include <memory>

#include "daemon/api/app_server.h"
#include "daemon/execution/execution.h"
#include "daemon/gossip/peer_mesh.h"
#include "daemon/net/tcp_transport.h"
#include "daemon/net/transport_router.h"
#include "daemon/net/unix_transport.h"
#include "daemon/node/identity.h"
#include "daemon/node/operator_calls.h"
#include "daemon/node/options.h"
#include "daemon/node/wiring.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/plaintext.h"
#include "daemon/settings/settings.h"
#include "daemon/telemetry/log.h"

namespace kaido::daemon {

/// What a node is made of, but for admin and telemetry, which look at it.
///
/// Threading: confined to the node strand.
struct Rooms {
  Rooms(Loop& the_loop, const Settings& the_settings, const Identity& the_identity, Logger log)
      : loop(the_loop),
        settings(the_settings),
        identity(the_identity),
        started(the_loop.now()),
        app_security(PlaintextProvider::Policy::kThisHostOnly),
        peer_security(the_settings.security.insecure_plaintext ? PlaintextProvider::Policy::kAnyNetwork
                                                               : PlaintextProvider::Policy::kThisHostOnly),
        app_transport(the_loop, app_security),
        peer_unix_transport(the_loop, peer_security),
        peer_tcp_transport(the_loop, peer_security),
        peer_transport(the_loop),
        apps(the_loop, app_transport, app_server_options(the_settings, the_identity), wiring, log.named("api")),
        peers(the_loop, peer_transport, peer_mesh_options(the_settings, the_identity), wiring, log.named("gossip")),
        execution(the_loop, execution_options(the_settings, the_identity), wiring, wiring),
        operator_calls(the_loop, execution) {
    peer_transport.add(Address::Kind::kUnix, peer_unix_transport);
    peer_transport.add(Address::Kind::kTcp, peer_tcp_transport);
    wiring.bind(apps, operator_calls, peers, execution);
  }

  Loop& loop;
  const Settings settings;
  const Identity identity;
  const base::Instant started;
  PlaintextProvider app_security;
  PlaintextProvider peer_security;
  UnixTransport app_transport;
  UnixTransport peer_unix_transport;
  TcpTransport peer_tcp_transport;
  TransportRouter peer_transport;
  Wiring wiring;
  AppServer apps;
  PeerMesh peers;
  Execution execution;
  OperatorCalls operator_calls;
};

}  // namespace kaido::daemon
