/// The rooms of one node, in the order in which they are built; destroyed in the reverse. Inside of daemon/node.
#pragma once

#include "daemon/core/node/machine.h"
#include "daemon/links/links.h"
#include "daemon/net/tcp_transport.h"
#include "daemon/net/transport_router.h"
#include "daemon/net/unix_transport.h"
#include "daemon/node/identity.h"
#include "daemon/node/operator_calls.h"
#include "daemon/node/options.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/plaintext.h"
#include "daemon/settings/settings.h"
#include "daemon/telemetry/log.h"

namespace kaido::daemon {

/// What a node is made of, but for admin and telemetry, which look at it.
///
/// Threading: confined to the node strand.
struct Rooms {
  Rooms(Loop& the_loop, const Settings& the_settings, const Identity& the_identity, const FreshNumbers& fresh,
        const Logger& log)
      : loop(the_loop),
        settings(the_settings),
        identity(the_identity),
        started(the_loop.now()),
        app_security(PlaintextProvider::Policy::kThisHostOnly),
        peer_security(the_settings.security.insecure_plaintext ? PlaintextProvider::Policy::kAnyNetwork
                                                               : PlaintextProvider::Policy::kSameUser),
        app_transport(the_loop, app_security),
        peer_unix_transport(the_loop, peer_security),
        peer_tcp_transport(the_loop, peer_security),
        peer_transport(the_loop),
        machine(machine_options(the_settings, the_identity, fresh), started),
        links(the_loop, app_transport, peer_transport, links_options(the_settings), machine, log),
        operator_calls(the_loop, machine) {
    peer_transport.add(Address::Kind::kUnix, peer_unix_transport);
    peer_transport.add(Address::Kind::kTcp, peer_tcp_transport);
    links.set_operators(
        [this](std::uint64_t call, TaskResult result) { operator_calls.ended(call, std::move(result)); },
        [this](std::uint64_t call, base::StatusOr<base::Duration> time) { operator_calls.ponged(call, time); });
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
  NodeMachine machine;
  Links links;
  OperatorCalls operator_calls;
};

}  // namespace kaido::daemon
