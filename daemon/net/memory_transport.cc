#include "daemon/net/memory_transport.h"

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "daemon/net/establish.h"
#include "daemon/net/memory_stream.h"

namespace kaido::daemon {

/// Threading: thread-safe; the mutex is taken before a link's.
struct MemoryNetwork::State {
  /// A name that is listened on. The gate belongs to the listener's loop, where `gate` is looked at and nowhere else.
  struct Door {
    Loop* loop = nullptr;
    std::shared_ptr<AcceptGate*> gate;  // null inside: the listener is gone
  };

  std::mutex mutex;
  std::map<std::string, Door> doors;
  std::map<std::string, std::vector<std::weak_ptr<MemoryLink>>> links;
  std::set<std::string> black_holes;

  std::vector<std::shared_ptr<MemoryLink>> live_links(const std::string& name) {
    std::vector<std::shared_ptr<MemoryLink>> live;
    auto& all = links[name];
    std::erase_if(all, [](const auto& link) { return link.expired(); });
    for (const auto& link : all) {
      if (auto held = link.lock()) live.push_back(std::move(held));
    }
    return live;
  }
};

MemoryNetwork::MemoryNetwork() : state_(std::make_shared<State>()) {}
MemoryNetwork::~MemoryNetwork() = default;

void MemoryNetwork::kill(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  for (const auto& link : state_->live_links(name)) link->cut();
}

void MemoryNetwork::set_black_hole(const std::string& name, bool on) {
  const std::lock_guard lock(state_->mutex);
  if (on) {
    state_->black_holes.insert(name);
  } else {
    state_->black_holes.erase(name);
  }
  for (const auto& link : state_->live_links(name)) link->set_stalled(on);
}

namespace {

class MemoryListener final : public Listener {
 public:
  MemoryListener(Loop& loop, SecurityProvider& security, Address address, const ListenOptions& options,
                 Transport::OnAccept on_accept, std::shared_ptr<AcceptGate*> door, std::function<void()> on_end)
      : address_(std::move(address)),
        gate_(loop, security, options, std::move(on_accept)),
        door_(std::move(door)),
        on_end_(std::move(on_end)) {
    *door_ = &gate_;
  }
  ~MemoryListener() override {
    *door_ = nullptr;
    on_end_();
  }
  MemoryListener(const MemoryListener&) = delete;
  MemoryListener& operator=(const MemoryListener&) = delete;

  [[nodiscard]] const Address& address() const override { return address_; }
  [[nodiscard]] const ListenerStats& stats() const override { return gate_.stats(); }

 private:
  const Address address_;
  AcceptGate gate_;
  const std::shared_ptr<AcceptGate*> door_;
  const std::function<void()> on_end_;
};

}  // namespace

MemoryTransport::MemoryTransport(Loop& loop, MemoryNetwork& network, SecurityProvider& security)
    : loop_(loop), security_(security), network_(network.state_) {}

MemoryTransport::~MemoryTransport() = default;

base::StatusOr<std::unique_ptr<Listener>> MemoryTransport::listen(const Address& address, const ListenOptions& options,
                                                                  OnAccept on_accept) {
  const std::string name = address.host();
  if (address.kind() != Address::Kind::kMemory) {
    return absl::InvalidArgumentError(address.to_string() + " is no memory address");
  }
  KAIDO_RETURN_IF_ERROR(security_.check({address.to_string(), Reach::kProcess}, StreamRole::kAccepting));
  auto door = std::make_shared<AcceptGate*>(nullptr);
  {
    const std::lock_guard lock(network_->mutex);
    if (!network_->doors.emplace(name, MemoryNetwork::State::Door{&loop_, door}).second) {
      return absl::AlreadyExistsError("cannot listen on " + address.to_string() + ": another listener has that name");
    }
  }
  const auto remove = [network = network_, name] {
    const std::lock_guard lock(network->mutex);
    network->doors.erase(name);
  };
  return std::make_unique<MemoryListener>(loop_, security_, address, options, std::move(on_accept), std::move(door),
                                          remove);
}

std::unique_ptr<ConnectOperation> MemoryTransport::connect(const Address& address, base::Instant deadline,
                                                           const ConnectionOptions& options, OnConnect on_connect) {
  const std::string name = address.host();
  const auto dial =
      std::make_shared<Dial>(loop_, security_, address.to_string(), deadline, options, std::move(on_connect));
  auto handle = dial->start();
  const base::Status allowed = address.kind() == Address::Kind::kMemory
                                   ? security_.check({address.to_string(), Reach::kProcess}, StreamRole::kConnecting)
                                   : absl::InvalidArgumentError(address.to_string() + " is no memory address");
  if (!allowed.ok()) {
    dial->failed(allowed);
    return handle;
  }
  const auto link = std::make_shared<MemoryLink>();
  {
    const std::lock_guard lock(network_->mutex);
    if (network_->black_holes.contains(name)) return handle;  // the deadline ends it
    const auto door = network_->doors.find(name);
    if (door == network_->doors.end()) {
      dial->failed(absl::UnavailableError("cannot connect to " + address.to_string() + ": nobody listens there"));
      return handle;
    }
    auto& links = network_->links[name];
    std::erase_if(links, [](const auto& former) { return former.expired(); });
    links.push_back(link);
    // A std::function must be copyable, so the stream travels in a shared box. If nobody opens it, the client sees an
    // end.
    auto box = std::make_shared<std::unique_ptr<ByteStream>>(
        std::make_unique<MemoryStream>(link, 1, "memory:client of " + name));
    // Under the mutex, so that the listener's loop still exists: the door is removed before it goes.
    door->second.loop->post([box = std::move(box), gate = door->second.gate] {
      std::unique_ptr<ByteStream> stream = std::move(*box);
      if (*gate != nullptr) (*gate)->admit(std::move(stream));
    });
  }
  dial->connected(std::make_unique<MemoryStream>(link, 0, address.to_string()));
  return handle;
}

}  // namespace kaido::daemon
