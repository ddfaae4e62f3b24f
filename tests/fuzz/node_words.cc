#include "tests/fuzz/node_words.h"

#include <array>
#include <map>
#include <tuple>

#include "daemon/core/session/messages.h"
#include "daemon/core/view/node_delta.h"
#include "proto/base/ids.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/peer.pb.h"
#include "proto/wire/handshake.h"

namespace kaido::daemon::testing {
namespace {

using namespace std::chrono_literals;

std::string name_of(std::uint8_t who) { return "node" + std::to_string(who); }

FunctionInfo function(std::uint8_t choice) {
  const std::uint8_t index = choice % 3;
  const std::string name(1, static_cast<char>('f' + index));
  return {.id = base::function_id_of(name), .name = name, .fingerprint = 1};
}

base::Life life_of(std::uint8_t choice) { return {{1U + choice % 3U}, choice / 4U % 2U}; }

void fill(v1::Versions& versions) {
  versions.set_min(wire::kVersions.min);
  versions.set_max(wire::kVersions.max);
  versions.set_features(wire::kFeatures);
}

// One text for each choice, made when it is needed first.
template <class Make>
const std::string& text_for(std::array<std::string, 256>& texts, std::uint8_t choice, Make make) {
  std::string& text = texts[choice];
  if (text.empty()) text = make().SerializeAsString();
  return text;
}

}  // namespace

base::NodeId node_id(std::uint8_t who) {
  base::NodeId id;
  id.bytes.fill(static_cast<std::uint8_t>(16 + who));
  return id;
}

NodeMachineOptions small_node() {
  NodeMachineOptions options;
  options.tasks.self.id = node_id(kSelfNumber);
  options.tasks.self.name = name_of(kSelfNumber);
  options.tasks.self.life = {{5}, 7};
  options.tasks.ledger.tasks_max = 48;
  options.tasks.ledger.waiting_max = 4;
  options.tasks.ledger.kept_bytes_max = 64U << 10;
  options.tasks.executor.queue_max = 8;
  options.tasks.executor.queued_bytes_max = 48U << 10;
  options.tasks.executor.attempts_max = 32;
  options.tasks.executor.attempts_per_origin_max = 12;
  options.tasks.chooser.placements_max = 24;
  options.apps.node_id = options.tasks.self.id;
  options.apps.node_name = name_of(kSelfNumber);
  options.apps.epoch = {5};
  options.apps.credits = 16;
  options.apps.templates_max = 8;
  options.peers.session.node_id = options.tasks.self.id;
  options.peers.session.node_name = name_of(kSelfNumber);
  options.peers.session.life = {{5}, 7};
  options.peers.session.templates_max = 8;
  options.peers.addresses = {"node:1", "node:2"};
  return options;
}

const std::string& hello_text() {
  static const std::string text = [] {
    v1::Hello hello;
    fill(*hello.mutable_versions());
    hello.set_app_name("app");
    return hello.SerializeAsString();
  }();
  return text;
}

const std::string& register_text(std::uint8_t choice) {
  static std::array<std::string, 256> texts;
  return text_for(texts, choice, [&] {
    v1::Register message;
    message.set_slots(choice % 4);
    for (std::uint8_t i = 0; i <= choice / 4 % 3; ++i) {
      const FunctionInfo offered = function(static_cast<std::uint8_t>(choice / 16 + i));
      v1::Function& added = *message.add_functions();
      added.set_name(offered.name);
      added.set_id(offered.id.value);
      added.set_fingerprint(choice == 255 ? 2 : 1);
    }
    return message;
  });
}

PlacementSpec placement(std::uint8_t choice) {
  PlacementSpec spec;
  spec.function = function(choice).id;
  spec.function_name = function(choice).name;
  spec.idempotent = (choice & 4) != 0;
  if ((choice & 8) != 0) spec.wait = 50ms;
  if ((choice & 16) != 0) spec.timeout = 20ms;
  spec.priority = (choice & 32) != 0 ? 1 : 0;
  if ((choice & 192) == 192) spec.node_name = name_of(1 + choice % kHighestNumber);
  return spec;
}

const std::string& prepare_text(std::uint8_t choice) {
  static std::array<std::string, 256> texts;
  return text_for(texts, choice, [&] { return to_message(placement(choice)); });
}

const std::string& peer_hello_text(std::uint8_t who, std::uint8_t choice) {
  static std::array<std::array<std::string, 256>, kHighestNumber + 1> texts;
  return text_for(texts[who], choice, [&] {
    v1::PeerHello hello;
    fill(*hello.mutable_versions());
    hello.mutable_versions()->set_features(choice % 8 == 7 ? 0 : wire::kPeerFeatures);
    hello.set_node_id(base::to_bytes(node_id(who)));
    hello.set_node_name(name_of(who));
    hello.set_epoch(life_of(choice).epoch.value);
    hello.set_nonce(life_of(choice).nonce);
    hello.set_max_frame_bytes(choice >= 240 ? 1000 : 1U << 20);
    hello.set_max_metadata_bytes(choice >= 250 ? 10 : 1U << 20);
    hello.set_max_templates(choice / 16 % 4);
    return hello;
  });
}

const std::string& peer_welcome_text() {
  static const std::string text = [] {
    v1::PeerWelcome welcome;
    welcome.set_version(wire::kVersions.max);
    return welcome.SerializeAsString();
  }();
  return text;
}

const std::string& node_info_text(std::uint8_t who, std::uint8_t life, std::uint8_t choice) {
  static std::map<std::tuple<std::uint8_t, base::Life, std::uint8_t>, std::string> texts;
  std::string& text = texts[{who, life_of(life), choice}];
  if (!text.empty()) return text;
  NodeInfo info;
  info.id = node_id(who);
  info.name = name_of((choice & 192) == 192 ? 1 : who);
  info.life = life_of(life);
  info.slots = choice % 4;
  info.draining = (choice & 60) == 60;
  if ((choice & 4) == 0) info.address = "node:" + std::to_string(who);
  for (std::uint8_t i = 0; i < choice / 8 % 4; ++i) info.functions.put(function(i));
  info.version = choice % 5;
  return text = to_message(info).SerializeAsString();
}

const std::string& node_info_delta_text(std::uint8_t choice) {
  static std::array<std::string, 256> texts;
  return text_for(texts, choice, [&] {
    NodeInfoDelta delta;
    delta.base_version = choice % 5;
    delta.version = delta.base_version + choice / 5 % 4;
    if ((choice & 1) != 0) delta.offered.push_back(function(choice / 2));
    if ((choice & 2) != 0) delta.withdrawn.push_back(function(choice / 3).id);
    if ((choice & 4) != 0) delta.tags.push_back({"zone", std::string(1, static_cast<char>('a' + choice % 3))});
    if ((choice & 8) != 0) delta.tags_removed.emplace_back("zone");
    if ((choice & 16) != 0) delta.draining = choice % 3 == 0;
    if ((choice & 32) != 0) delta.slots = choice % 4;
    if ((choice & 64) != 0) delta.address = "node:" + std::to_string(choice % 5);
    return to_message(delta);
  });
}

const std::string& error_text(std::uint8_t choice) {
  static std::array<std::string, 256> texts;
  return text_for(texts, choice, [&] {
    return to_message(TaskError{.message = "no", .node = choice % 2 == 0 ? "" : "elsewhere", .attempt = choice % 3U});
  });
}

const std::string& redirect_text(std::uint8_t choice) {
  static std::array<std::string, 256> texts;
  return text_for(texts, choice, [&] {
    constexpr std::array kReasons = {RedirectReason::kMismatch, RedirectReason::kNotOffered, RedirectReason::kDraining,
                                     RedirectReason::kQueueFull};
    return to_message(kReasons[choice % kReasons.size()], std::chrono::milliseconds(choice));
  });
}

const std::string& goodbye_text(bool replaced) {
  static std::array<std::string, 256> texts;
  return text_for(texts, replaced ? 1 : 0, [&] {
    v1::Goodbye goodbye;
    goodbye.set_reason("so be it");
    goodbye.set_replaced(replaced);
    return goodbye;
  });
}

}  // namespace kaido::daemon::testing
