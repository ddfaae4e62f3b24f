/// Sequences of frames, valid, mutated and out of order, of connections that open, close and do not read, of timers and
/// of operators, into a whole NodeMachine. Nothing may crash, and what NodeWorld checks must hold.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <google/protobuf/stubs/logging.h>

#include "tests/fuzz/node_words.h"
#include "tests/fuzz/node_world.h"

namespace kaido::daemon::testing {
namespace {

using wire::FrameKind;

constexpr std::size_t kAppsMax = 4;
constexpr std::size_t kPeersMax = 5;
// Most of what a sequence can find, it finds early; longer ones cost as much as several.
constexpr int kStepsMax = 128;

/// Reads the input as choices; all are 0 when it has ended.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  [[nodiscard]] bool is_over() const { return size_ == 0; }
  std::uint8_t byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : byte() % bound; }
  bool one_in(std::uint8_t odds) { return byte() % odds == odds - 1; }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

Payload payload_of(std::uint8_t choice) {
  static const Payload kBytes = Payload::copy_of(std::vector<std::byte>(70'000, std::byte{'x'}));
  constexpr std::size_t kSizes[] = {0, 1, 100, 20'000};
  return choice % 16 == 15 ? kBytes : kBytes.part(0, kSizes[choice % 4]);
}

wire::FrameHeader header_of(FrameKind kind, std::uint64_t call_id = 0, std::uint32_t template_or_status = 0) {
  wire::FrameHeader header;
  header.kind = kind;
  header.call_id = call_id;
  header.template_or_status = template_or_status;
  return header;
}

/// Plays one input.
class Play {
 public:
  Play(const std::uint8_t* data, std::size_t size) : choices_(data, size), world_(small_node()) {}

  void run() {
    for (int step = 0; step < kStepsMax && !choices_.is_over(); ++step) {
      act();
      switch (choices_.byte() % 8) {
        case 0:
          break;  // several events in one turn
        case 1:
          world_.take();
          break;
        default:
          world_.pump();
      }
    }
    world_.end(/*drains_first=*/choices_.byte() % 2 == 0);
  }

 private:
  void act() {
    switch (choices_.byte() % 16) {
      case 0:
        return open_app();
      case 1:
        return open_peer();
      case 2:
      case 3:
      case 4:
        return app_speaks();
      case 5:
        return worker_answers();
      case 6:
      case 7:
        return peer_asks();
      case 8:
      case 9:
        return peer_answers();
      case 10:
        return peer_speaks();
      case 11:
        return world_.advance(std::chrono::milliseconds(1U << choices_.below(14)));
      case 12:
        return connection_ends();
      case 13:
        return connection_fills();
      case 14:
        return operator_acts();
      default:
        return anything();
    }
  }

  NodeWorld::App* any_app() {
    auto& apps = world_.apps();
    return apps.empty() ? nullptr : &apps[choices_.below(apps.size())];
  }
  NodeWorld::Peer* any_peer() {
    auto& peers = world_.peers();
    return peers.empty() ? nullptr : &peers[choices_.below(peers.size())];
  }

  // Now and then not quite what it should be.
  void say(ConnectionId to, wire::FrameHeader header, const std::string& metadata, const Payload& payload = {}) {
    if (!choices_.one_in(32)) {
      last_ = {header, metadata, payload};
      return world_.frame(to, header, metadata, payload);
    }
    std::string changed = metadata;
    if (!changed.empty()) changed[choices_.below(changed.size())] ^= static_cast<char>(choices_.byte());
    if (choices_.one_in(4)) changed.resize(choices_.below(changed.size() + 1));
    world_.frame(to, header, changed, payload);
  }

  void open_app() {
    if (world_.apps().size() >= kAppsMax) return;
    const ConnectionId app = world_.open_app()->connection;
    if (choices_.one_in(8)) return;
    say(app, header_of(FrameKind::kHello), hello_text());
    if (choices_.one_in(2)) say(app, header_of(FrameKind::kRegister), register_text(choices_.byte()));
    for (std::uint32_t id = 1; id <= 1 + choices_.below(3); ++id) {
      say(app, header_of(FrameKind::kPrepare, 0, id), prepare_text(choices_.byte()));
    }
  }

  void app_speaks() {
    const NodeWorld::App* const app = any_app();
    if (app == nullptr) return open_app();
    const ConnectionId to = app->connection;
    switch (choices_.byte() % 16) {
      case 0:
        return say(to, header_of(FrameKind::kCancel, choices_.below(32)), {});
      case 1:
        return say(to, header_of(FrameKind::kPrepare, 0, choices_.byte() % 10), prepare_text(choices_.byte()));
      case 2:
        return say(to, header_of(FrameKind::kRegister), register_text(choices_.byte()));
      case 3:
        return say(to, header_of(FrameKind::kPing, 1), {});
      case 4:
        return say(to, header_of(FrameKind::kCall, choices_.below(8), 1), {}, payload_of(1));
      default: {
        wire::FrameHeader call = header_of(FrameKind::kCall, next_call_++, 1 + choices_.byte() % 4);
        if (choices_.one_in(4)) call.budget_ns = 1'000'000ULL << choices_.below(8);
        return say(to, call, {}, payload_of(choices_.byte()));
      }
    }
  }

  void worker_answers() {
    NodeWorld::App* const app = any_app();
    if (app == nullptr) return;
    std::uint64_t call = choices_.byte();
    if (!app->dispatched.empty()) {
      const auto at = app->dispatched.begin() + static_cast<std::ptrdiff_t>(choices_.below(app->dispatched.size()));
      call = *at;
      if (!choices_.one_in(8)) app->dispatched.erase(at);
    }
    const std::uint32_t status = choices_.one_in(2) ? choices_.byte() % 16 : 0;
    say(app->connection, header_of(FrameKind::kResult, call, status), status == 0 ? "" : error_text(choices_.byte()),
        payload_of(choices_.byte()));
  }

  void open_peer() {
    if (world_.peers().size() >= kPeersMax) return;
    NodeWorld::Peer* const peer = choices_.one_in(2) ? world_.answer_dial(choices_.one_in(4)) : world_.accept_peer();
    if (peer == nullptr) return;
    const auto who =
        static_cast<std::uint8_t>(choices_.one_in(16) ? kSelfNumber : std::array{1, 3, 4}[choices_.below(3)]);
    peer->who = who;
    const ConnectionId to = peer->connection;
    const std::uint8_t life = choices_.one_in(2) ? choices_.byte() : 32;
    if (choices_.one_in(8)) return;
    say(to, header_of(FrameKind::kHello), peer_hello_text(who, life));
    if (choices_.one_in(8)) return;
    say(to, header_of(FrameKind::kWelcome), peer_welcome_text());
    if (choices_.one_in(8)) return;
    say(to, header_of(FrameKind::kNodeInfo), node_info_text(who, life, choices_.byte()));
    for (std::uint32_t id = 1; id <= choices_.below(3); ++id) {
      say(to, header_of(FrameKind::kPrepare, 0, id), prepare_text(choices_.byte()));
    }
  }

  void peer_asks() {
    const NodeWorld::Peer* const peer = any_peer();
    if (peer == nullptr) return open_peer();
    const ConnectionId to = peer->connection;
    wire::FrameHeader header = header_of(FrameKind::kCall, choices_.below(24), 1 + choices_.byte() % 3);
    header.set_attempt(static_cast<std::uint16_t>(1 + choices_.below(3)));
    switch (choices_.byte() % 8) {
      case 0:
        header.kind = FrameKind::kCancel;
        return say(to, header, {});
      case 1:
        header.kind = FrameKind::kInquire;
        return say(to, header, {});
      case 2:
        return say(to, header_of(FrameKind::kPrepare, 0, choices_.byte() % 10), prepare_text(choices_.byte()));
      default:
        if (choices_.one_in(4)) header.budget_ns = 1'000'000ULL << choices_.below(8);
        return say(to, header, {}, payload_of(choices_.byte()));
    }
  }

  void peer_answers() {
    const NodeWorld::Peer* const peer = any_peer();
    if (peer == nullptr) return;
    NodeWorld::Attempt attempt{choices_.byte(), static_cast<std::uint32_t>(choices_.below(3))};
    if (!peer->attempts.empty()) attempt = peer->attempts[choices_.below(peer->attempts.size())];
    constexpr std::array kKinds = {FrameKind::kResult, FrameKind::kResult,  FrameKind::kRedirect,
                                   FrameKind::kQueued, FrameKind::kStarted, FrameKind::kResult};
    wire::FrameHeader header = header_of(kKinds[choices_.below(kKinds.size())], attempt.sequence);
    header.set_attempt(attempt.attempt);
    if (choices_.one_in(2)) header.set_load({choices_.byte(), choices_.byte()});
    const ConnectionId to = peer->connection;
    if (header.kind == FrameKind::kRedirect) {
      return say(to, header, redirect_text(choices_.byte()), payload_of(choices_.byte()));
    }
    if (header.kind == FrameKind::kResult) header.template_or_status = choices_.one_in(2) ? choices_.byte() % 16 : 0;
    say(to, header, header.template_or_status == 0 ? "" : error_text(choices_.byte()), payload_of(choices_.byte()));
  }

  void peer_speaks() {
    const NodeWorld::Peer* const peer = any_peer();
    if (peer == nullptr) return;
    const ConnectionId to = peer->connection;
    switch (choices_.byte() % 11) {
      case 8:
      case 9:
        return say(to, header_of(FrameKind::kNodeInfoDelta), node_info_delta_text(choices_.byte()));
      case 10:
        return say(to, header_of(FrameKind::kNodeInfoWanted), {});
      case 0:
        return say(to, header_of(FrameKind::kGoodbye), goodbye_text(true));
      case 1:
        return say(to, header_of(FrameKind::kGoodbye), goodbye_text(false));
      case 2:
        return say(to, header_of(FrameKind::kPing, choices_.byte()), {});
      case 3:
        return say(to, header_of(FrameKind::kPong, peer->last_ping), {});
      case 4:
        return say(to, header_of(FrameKind::kWelcome), peer_welcome_text());
      case 5:
        return say(to, header_of(FrameKind::kHello), peer_hello_text(peer->who, choices_.byte()));
      default:
        return say(to, header_of(FrameKind::kNodeInfo), node_info_text(peer->who, 32, choices_.byte()));
    }
  }

  void connection_ends() {
    const bool of_app = choices_.one_in(2);
    const auto* const app = of_app ? any_app() : nullptr;
    const auto* const peer = of_app ? nullptr : any_peer();
    if (app == nullptr && peer == nullptr) return;
    const ConnectionId connection = app != nullptr ? app->connection : peer->connection;
    if (choices_.one_in(8)) {
      return world_.machine().malformed(world_.now(), connection, absl::InvalidArgumentError("no frame"));
    }
    world_.close(connection, choices_.one_in(2) ? absl::UnavailableError("cut") : absl::ResourceExhaustedError("full"));
  }

  void connection_fills() {
    NodeMachine& machine = world_.machine();
    const bool of_app = choices_.one_in(2);
    auto* const app = of_app ? any_app() : nullptr;
    auto* const peer = of_app ? nullptr : any_peer();
    if (app == nullptr && peer == nullptr) return;
    const ConnectionId connection = app != nullptr ? app->connection : peer->connection;
    bool& is_congested = app != nullptr ? app->is_congested : peer->is_congested;
    if (choices_.one_in(4)) return machine.heard(world_.now(), connection);
    is_congested = !is_congested;
    is_congested ? machine.congested(world_.now(), connection) : machine.drained(world_.now(), connection);
  }

  void operator_acts() {
    const NodeIndex node{static_cast<std::uint32_t>(choices_.below(6))};
    NodeMachine& machine = world_.machine();
    switch (choices_.byte() % 8) {
      case 0:
        return world_.ping(node);
      case 1:
        static_cast<void>(machine.replace_link(world_.now(), node));
        return;
      case 2:
        return world_.cancel_operator_call(choices_.below(world_.last_operator_call() + 1));
      case 3:
        if (choices_.one_in(4)) {
          machine.drain(world_.now(), world_.now() + std::chrono::milliseconds(choices_.byte()), "an operator");
        }
        return;
      case 4:
        static_cast<void>(world_.answer_dial(/*has_failed=*/true));
        return;
      default:
        return world_.operator_call(placement(choices_.byte()), std::chrono::milliseconds(choices_.byte()),
                                    payload_of(choices_.byte()));
    }
  }

  // Any kind, any field, to anybody; or the last frame again.
  void anything() {
    const bool to_app = choices_.one_in(2);
    const auto* const app = to_app ? any_app() : nullptr;
    const auto* const peer = to_app ? nullptr : any_peer();
    if (app == nullptr && peer == nullptr) return;
    const ConnectionId to = app != nullptr ? app->connection : peer->connection;
    if (choices_.one_in(2) && last_) return world_.frame(to, last_->header, last_->metadata, last_->payload);
    wire::FrameHeader header =
        header_of(static_cast<FrameKind>(choices_.byte() % 28), choices_.byte(), choices_.byte());
    header.flags = choices_.byte();
    header.set_attempt(choices_.byte());
    header.budget_ns = choices_.one_in(2) ? 0 : ~std::uint64_t{0} >> choices_.below(64);
    header.aux = choices_.byte();
    std::string metadata(choices_.below(24), '\0');
    for (char& c : metadata) c = static_cast<char>(choices_.byte());
    world_.frame(to, header, metadata, payload_of(choices_.byte()));
  }

  struct Said {
    wire::FrameHeader header;
    std::string metadata;
    Payload payload;
  };
  Choices choices_;
  NodeWorld world_;
  std::uint64_t next_call_ = 8;
  std::optional<Said> last_;
};

}  // namespace
}  // namespace kaido::daemon::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // What it says of each text that is not UTF-8 takes longer than the sequence.
  [[maybe_unused]] static const auto former = google::protobuf::SetLogHandler(nullptr);
  kaido::daemon::testing::Play(data, size).run();
  return 0;
}
