#include "daemon/net/establish.h"

#include <span>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {

AcceptGate::AcceptGate(Loop& loop, SecurityProvider& security, const ListenOptions& options,
                       Transport::OnAccept on_accept)
    : loop_(loop),
      security_(security),
      options_(options),
      on_accept_(std::make_shared<const Transport::OnAccept>(std::move(on_accept))) {}

void AcceptGate::admit(std::unique_ptr<ByteStream> raw) {
  if (*live_ >= options_.connections_max) {
    ++stats_.refused_limit;
    // Nobody waits for it: what the stream does not take at once is not said.
    const auto farewell = std::as_bytes(std::span(options_.farewell));
    if (!farewell.empty()) static_cast<void>(raw->write({&farewell, 1}));
    if (options_.on_refused) options_.on_refused();
    return;
  }
  ++*live_;
  std::shared_ptr<void> keep(live_.get(), [live = live_](void*) { --*live; });
  const std::uint64_t id = next_id_++;
  handshakes_.emplace(id, nullptr);
  auto handshake = security_.secure(
      loop_, std::move(raw), StreamRole::kAccepting, loop_.now() + options_.handshake_timeout,
      [this, id, keep = std::move(keep)](auto stream) mutable { finish(id, std::move(keep), std::move(stream)); });
  // Null if it finished inside secure(): on_accept may have destroyed this gate then.
  if (handshake != nullptr) handshakes_.at(id) = std::move(handshake);
}

void AcceptGate::finish(std::uint64_t id, std::shared_ptr<void> keep,
                        base::StatusOr<std::unique_ptr<ByteStream>> stream) {
  const auto handshake = handshakes_.extract(id);  // destroyed at the end, after its callback has done its work
  if (!stream.ok()) {
    ++stats_.failed_handshake;
    return;
  }
  ++stats_.accepted;
  const auto on_accept = on_accept_;
  (*on_accept)(std::make_unique<Connection>(loop_, *std::move(stream), options_.connection, std::move(keep)));
}

namespace {

class DialHandle final : public ConnectOperation {
 public:
  explicit DialHandle(std::shared_ptr<Dial> dial) : dial_(std::move(dial)) {}
  ~DialHandle() override { dial_->abandon(); }
  DialHandle(const DialHandle&) = delete;
  DialHandle& operator=(const DialHandle&) = delete;

 private:
  const std::shared_ptr<Dial> dial_;
};

}  // namespace

Dial::Dial(Loop& loop, SecurityProvider& security, std::string target, base::Instant deadline,
           const ConnectionOptions& options, Transport::OnConnect on_connect)
    : loop_(loop),
      security_(security),
      target_(std::move(target)),
      deadline_(deadline),
      options_(options),
      on_connect_(std::move(on_connect)) {}

std::unique_ptr<ConnectOperation> Dial::start() {
  timer_ = std::make_unique<Timer>(
      loop_, [this] { finish(absl::DeadlineExceededError(target_ + " did not answer in time")); });
  timer_->set(deadline_);
  return std::make_unique<DialHandle>(shared_from_this());
}

void Dial::connected(std::unique_ptr<ByteStream> raw) {
  if (over_) return;
  auto handshake = security_.secure(loop_, std::move(raw), StreamRole::kConnecting, deadline_,
                                    [this](auto stream) { secured(std::move(stream)); });
  if (handshake != nullptr && !over_) handshake_ = std::move(handshake);
}

void Dial::secured(base::StatusOr<std::unique_ptr<ByteStream>> stream) {
  if (over_) return;
  if (!stream.ok()) {
    finish(std::move(stream).status());
    return;
  }
  finish(std::make_unique<Connection>(loop_, *std::move(stream), options_, nullptr));
}

void Dial::failed(base::Status reason) {
  KAIDO_CHECK(!reason.ok());
  finish(std::move(reason));
}

void Dial::finish(base::StatusOr<std::unique_ptr<Connection>> result) {
  if (over_) return;
  over_ = true;
  if (timer_ != nullptr) timer_->clear();
  if (stop_) std::exchange(stop_, nullptr)();
  // A std::function must be copyable, so the result travels in a shared box.
  auto box = std::make_shared<base::StatusOr<std::unique_ptr<Connection>>>(std::move(result));
  loop_.post([self = shared_from_this(), box] {
    self->handshake_.reset();
    if (self->abandoned_) return;
    const Transport::OnConnect on_connect = std::exchange(self->on_connect_, nullptr);
    on_connect(std::move(*box));
  });
}

void Dial::abandon() {
  abandoned_ = true;
  over_ = true;
  timer_.reset();
  handshake_.reset();
  if (stop_) std::exchange(stop_, nullptr)();
}

}  // namespace kaido::daemon
