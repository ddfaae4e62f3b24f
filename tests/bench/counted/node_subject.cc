// The node machine with a channel for each connection, as daemon/links joins them, without the sockets.
#include "tests/bench/counted/node_subject.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/core/node/machine.h"
#include "proto/wire/channel.h"

namespace kaido::bench {
namespace {

/// A connection without a socket: what net's Connection does between its read and its write.
struct Link {
  Link() : channel(wire::ChannelOptions(), [] {}) {}

  wire::Channel channel;
  daemon::ConnectionId id;
  std::vector<std::byte> flat;  // the segments in one piece, as a socket's buffer has them
};

class MachineSubject final : public NodeSubject {
 public:
  explicit MachineSubject(std::uint8_t number) : machine_(options(number), now_) {
    machine_.start(now_, {});
    end_turn();
  }

  ConnectionId open_app() override { return add(machine_.app_opened(now_, {})); }
  ConnectionId accept_peer() override { return add(machine_.peer_accepted(now_, "peer")); }
  ConnectionId dial_peer() override {
    if (dials_.empty()) throw std::runtime_error("the node dials nobody");
    const daemon::DialId dial = dials_.back();
    dials_.pop_back();
    return add(machine_.peer_dialed(now_, dial, "peer"));
  }

  void receive(ConnectionId connection, std::span<const std::byte> bytes) override {
    Link& link = *links_[connection];
    while (!bytes.empty()) {
      const auto space = link.channel.writable();
      const std::size_t count = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), count);
      link.channel.commit(count);
      bytes = bytes.subspan(count);
      while (auto frame = link.channel.next()) machine_.frame(now_, link.id, *frame);
      if (link.channel.failed()) throw std::runtime_error("the node refuses the bytes: " + link.channel.error());
    }
  }

  void end_turn() override {
    while (machine_.has_ready()) {
      const daemon::Ready& ready = machine_.ready();
      for (const daemon::FrameOut& frame : ready.frames) {
        const auto sent =
            by_id_.at(frame.connection.value)->channel.send(frame.header, ready.metadata(frame), frame.payload);
        if (sent != wire::SendResult::kTaken) throw std::runtime_error("a frame was not taken");
      }
      for (const daemon::Command& command : ready.commands) act(command);
      machine_.advance();
    }
    for (const auto& link : links_) flatten(*link);
  }

  std::span<const std::byte> output(ConnectionId connection) const override { return links_[connection]->flat; }
  void written(ConnectionId connection) override { links_[connection]->flat.clear(); }

 private:
  static daemon::NodeMachineOptions options(std::uint8_t number) {
    daemon::NodeMachineOptions options;
    base::NodeId id;
    id.bytes[15] = number;
    const base::Life life{base::Epoch{7}, number};
    options.tasks.self.id = options.apps.node_id = options.peers.session.node_id = id;
    options.tasks.self.name = "node-" + std::to_string(number);
    options.apps.node_name = options.peers.session.node_name = options.tasks.self.name;
    options.tasks.self.life = options.peers.session.life = life;
    options.apps.epoch = life.epoch;
    options.tasks.seed = number;
    options.peers.addresses = {"peer"};
    return options;
  }

  ConnectionId add(daemon::ConnectionId id) {
    links_.push_back(std::make_unique<Link>());
    links_.back()->id = id;
    by_id_[id.value] = links_.back().get();
    end_turn();
    return static_cast<ConnectionId>(links_.size() - 1);
  }

  void act(const daemon::Command& command) {
    if (command.kind == daemon::Command::Kind::kDial) dials_.push_back(command.dial);
    if (command.kind == daemon::Command::Kind::kClose) {
      throw std::runtime_error("the node closes a connection: " + std::string(command.status.message()));
    }
  }

  // What a gathered write does: one copy of each segment.
  static void flatten(Link& link) {
    while (link.channel.has_output()) {
      std::array<std::span<const std::byte>, 16> segments;
      const std::size_t count = link.channel.gather(segments);
      std::size_t taken = 0;
      for (std::size_t i = 0; i < count; ++i) {
        link.flat.insert(link.flat.end(), segments[i].begin(), segments[i].end());
        taken += segments[i].size();
      }
      link.channel.consume(taken);
    }
  }

  const base::Instant now_{std::chrono::seconds(1)};
  daemon::NodeMachine machine_;
  std::vector<std::unique_ptr<Link>> links_;
  std::unordered_map<std::uint32_t, Link*> by_id_;
  std::vector<daemon::DialId> dials_;
};

class MachineFactory final : public NodeFactory {
 public:
  std::unique_ptr<NodeSubject> make(std::uint8_t number) override { return std::make_unique<MachineSubject>(number); }
};

}  // namespace

void with_nodes(const std::function<void(NodeFactory&)>& harness) {
  MachineFactory factory;
  harness(factory);
}

}  // namespace kaido::bench
