/// The bindings between rooms that do not know each other: what apps and peers ask, execution answers; what execution
/// has to say, apps and peers are told.
#pragma once

#include <vector>

#include "daemon/api/app_handler.h"
#include "daemon/api/app_server.h"
#include "daemon/core/session/call_info.h"
#include "daemon/execution/execution.h"
#include "daemon/execution/ports.h"
#include "daemon/gossip/peer_handler.h"
#include "daemon/gossip/peer_mesh.h"
#include "daemon/node/operator_calls.h"

namespace kaido::daemon {

/// Forwards, and nothing else; each verb costs one indirect call.
///
/// Threading: confined to the node strand.
/// Lifetime: bind() before anything runs; destroyed after the rooms that it binds.
class Wiring final : public AppHandler, public PeerHandler, public AppPort, public PeerPort {
 public:
  void bind(AppServer& apps, OperatorCalls& operator_calls, PeerMesh& peers, Execution& execution) {
    apps_ = &apps;
    operator_calls_ = &operator_calls;
    peers_ = &peers;
    execution_ = &execution;
  }

  // --- AppHandler ---
  base::Status offer(std::uint32_t session, const std::vector<FunctionInfo>& functions, std::uint32_t slots) override {
    return execution_->offer(session, functions, slots);
  }
  bool submit(const SubmitRequest& request) override { return execution_->submit(request); }
  void cancel_call(std::uint32_t session, std::uint64_t call_id) override { execution_->cancel_call(session, call_id); }
  bool worker_result(std::uint32_t session, std::uint64_t call, wire::Outcome outcome, const TaskError* error,
                     Payload payload) override {
    return execution_->worker_result(session, call, outcome, error, payload);
  }
  void session_closed(std::uint32_t session) override { execution_->session_closed(session); }

  // --- AppHandler and PeerHandler ---
  PlacementRef prepare(PlacementSpec spec) override { return execution_->prepare(std::move(spec)); }

  // --- PeerHandler ---
  const NodeInfo& self() const override { return execution_->self(); }
  NodeIndex node_seen(NodeInfo info) override { return execution_->node_seen(std::move(info)); }
  void cluster_changed() override { execution_->cluster_changed(); }
  void node_lost(NodeIndex node, base::Epoch epoch) override { execution_->node_lost(node, epoch); }
  void load_reported(NodeIndex node, wire::Load load) override { execution_->load_reported(node, load); }
  void admit(const AdmitRequest& request) override { execution_->admit(request); }
  void cancel_attempt(const AttemptKey& key) override { execution_->cancel_attempt(key); }
  void attempt_started(const AttemptReport& report) override { execution_->attempt_started(report); }
  void attempt_result(const AttemptReport& report, wire::Outcome outcome, const TaskError* error,
                      Payload payload) override {
    execution_->attempt_result(report, outcome, error, payload);
  }
  void attempt_redirected(const AttemptReport& report, RedirectReason reason, base::Duration retry_after,
                          Payload payload) override {
    execution_->attempt_redirected(report, reason, retry_after, payload);
  }

  // --- AppPort ---
  void deliver(std::uint32_t session, std::uint64_t call_id, wire::Outcome outcome, const TaskError* error,
               Payload payload) override {
    if (session == kOperatorSession) [[unlikely]]
      return operator_calls_->deliver(call_id, outcome, error, payload);
    apps_->deliver(session, call_id, outcome, error, payload);
  }
  void dispatch(std::uint32_t session, std::uint32_t function_index, std::uint64_t call, const AttemptKey& key,
                const base::NodeId& origin, base::Duration budget, const wire::TraceContext& trace,
                Payload payload) override {
    apps_->dispatch(session, function_index, call, key.attempt, budget, trace, call_info(key, origin), payload);
  }
  void cancel_at_worker(std::uint32_t session, std::uint64_t call) override { apps_->cancel_at_worker(session, call); }

  // --- PeerPort ---
  bool send_attempt(NodeIndex node, const PreparedPlacement& placement, std::uint64_t sequence, std::uint32_t attempt,
                    base::Duration budget, const wire::TraceContext& trace, Payload payload) override {
    return peers_->send_attempt(node, placement, sequence, attempt, budget, trace, payload);
  }
  void send_cancel(NodeIndex node, std::uint64_t sequence, std::uint32_t attempt) override {
    peers_->send_cancel(node, sequence, attempt);
  }
  void reply_started(const AttemptKey& key, wire::Load load) override { peers_->reply_started(key, load); }
  void reply_result(const AttemptKey& key, wire::Outcome outcome, const TaskError* error, Payload payload,
                    wire::Load load) override {
    peers_->reply_result(key, outcome, error, payload, load);
  }
  void reply_redirect(const AttemptKey& key, RedirectReason reason, base::Duration retry_after, Payload payload,
                      wire::Load load) override {
    peers_->reply_redirect(key, reason, retry_after, payload, load);
  }
  void announce(const NodeInfo& self) override { peers_->announce(self); }

 private:
  /// The encoded CallInfo of the task's origin, made at its first task and again in a new epoch.
  std::span<const std::byte> call_info(const AttemptKey& key, const base::NodeId& origin) {
    if (key.origin.value >= infos_.size()) infos_.resize(key.origin.value + std::size_t{1});
    OriginInfo& info = infos_[key.origin.value];
    if (info.epoch != key.origin_epoch) [[unlikely]]
      info = {key.origin_epoch, CallInfo(origin, key.origin_epoch)};
    return info.bytes.for_task(key.sequence);
  }

  struct OriginInfo {
    base::Epoch epoch;  ///< 0, which no node has: not made yet
    CallInfo bytes{base::NodeId{}, base::Epoch{}};
  };

  AppServer* apps_ = nullptr;
  OperatorCalls* operator_calls_ = nullptr;
  PeerMesh* peers_ = nullptr;
  Execution* execution_ = nullptr;
  std::vector<OriginInfo> infos_;  ///< by the origin's NodeIndex
};

}  // namespace kaido::daemon
