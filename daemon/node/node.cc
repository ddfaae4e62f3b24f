#include "daemon/node/node.h"

#include <malloc.h>

#include <array>
#include <chrono>
#include <ctime>
#include <random>
#include <utility>

#include "daemon/admin/admin_server.h"
#include "daemon/admin/http_server.h"
#include "daemon/node/admin_view.h"
#include "daemon/node/memory_return.h"
#include "daemon/node/metrics_report.h"
#include "daemon/node/preflight.h"
#include "daemon/node/rooms.h"
#include "daemon/runtime/timer.h"
#include "daemon/telemetry/process_metrics.h"
#include "daemon/telemetry/prometheus_metrics.h"
#include "daemon/telemetry/service_notify.h"
#include "proto/base/version.h"

namespace kaido::daemon {
namespace {

/// How often a draining node looks whether it is idle.
constexpr base::Duration kDrainPoll = std::chrono::milliseconds(20);
/// What goodbyes take to leave.
constexpr base::Duration kGoodbyeTime = std::chrono::milliseconds(100);
/// What finished results may take to leave, before that.
constexpr base::Duration kGoodbyeTimeMax = std::chrono::seconds(5);

/// How often a node looks whether memory is to be returned to the system.
constexpr base::Duration kMemoryInterval = std::chrono::seconds(1);

/// From the system's randomness: nobody can guess it, and no two lives share it.
std::uint64_t random_number() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

/// "2026-11-29T11:20:31Z".
std::string utc_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

HttpServerOptions http_options(const Settings& settings) {
  HttpServerOptions options;
  options.address = settings.listen.http->host == "localhost" ? "127.0.0.1" : settings.listen.http->host;
  options.port = settings.listen.http->port;
  return options;
}

AdminServerOptions admin_options(const Settings& settings) {
  AdminServerOptions options;
  options.socket_path = settings.listen.admin_socket;
  return options;
}

}  // namespace

class Node::Impl final {
 public:
  Impl(Loop& loop, const Settings& settings, std::unique_ptr<StateFolder> state, const Identity& identity, Logger log)
      : loop_(loop),
        log_(std::move(log)),
        state_(std::move(state)),
        rooms_(loop, settings, identity, {.nonce = random_number(), .hash_seed = random_number()}, log_),
        metrics_(make_prometheus_metrics()),
        report_(metrics_->add_collector([this](MetricSink& sink) {
          report_metrics(rooms_, sink);
          report_admin(admin_.counters(), http_ ? http_->counters() : HttpServerCounters(), sink);
        })),
        process_report_(metrics_->add_collector(process_metrics(base::kVersion, log_))),
        queries_(rooms_),
        admin_(
            loop.io(), [&loop](std::function<void()> function) { loop.post(std::move(function)); }, queries_,
            admin_options(settings)),
        drain_timer_(loop, [this] { look_whether_drained(); }),
        watchdog_timer_(loop, [this] { watch(); }),
        memory_timer_(loop, [this] { watch_memory(); }) {
    if (settings.listen.http) http_.emplace(loop.io(), http_options(settings), http_sources());
  }

  ~Impl() {
    if (http_) http_->stop();
    admin_.stop();
  }

  base::Status start() {
    KAIDO_RETURN_IF_ERROR(make_socket_folders(rooms_.settings));
    KAIDO_RETURN_IF_ERROR(rooms_.links.start());
    KAIDO_RETURN_IF_ERROR(admin_.start());
    if (http_) {
      KAIDO_RETURN_IF_ERROR(http_->start());
      log_.info("listening for HTTP", {"address", rooms_.settings.listen.http->host}, {"port", http_->port()});
    }
    log_.info("node started", {"node", rooms_.settings.node.name}, {"id", rooms_.identity.id},
              {"epoch", rooms_.identity.epoch.value}, {"version", base::kVersion});
    if (const auto exposed = plaintext_warning(rooms_.settings)) log_.warn("unprotected", {"what", *exposed});
    notify_.ready("node " + rooms_.settings.node.name + " serves");
    watch();
    watch_memory();
    return absl::OkStatus();
  }

  void begin_stop(const std::string& why) {
    if (std::exchange(stopping_, true)) {
      // Every caller learns that the node stopped, not that its worker died.
      rooms_.machine.drain(loop_.now(), loop_.now(), why);
      return say_goodbye();
    }
    stop_reason_ = why;
    const base::Duration drain = rooms_.settings.timeouts.drain;
    drain_deadline_ = loop_.now() + drain;
    log_.info("stopping", {"why", why}, {"drain", drain});
    notify_.stopping("draining: " + why, drain);
    queries_.set_reason("since " + utc_text(std::chrono::system_clock::now()) + " because of " + why);
    rooms_.machine.drain(loop_.now(), drain_deadline_, why);
    look_whether_drained();
  }

  [[nodiscard]] bool is_draining() const { return stopping_; }
  [[nodiscard]] std::optional<Address> peer_address() const { return rooms_.links.peer_address(); }
  [[nodiscard]] std::optional<std::uint16_t> http_port() const {
    if (!http_) return std::nullopt;
    return http_->port();
  }

 private:
  HttpSources http_sources() {
    HttpSources sources;
    sources.readiness = [this] {
      if (stopping_) return NodeReadiness{false, "draining: " + stop_reason_};
      return NodeReadiness{true, {}};
    };
    sources.metrics = [this] { return metrics_->serialize(); };
    return sources;
  }

  void look_whether_drained() {
    if (goodbye_said_) return look_whether_sent();
    // A result is done for the machine when it is announced, and for its caller when its last chunk has come.
    const bool is_done = rooms_.machine.is_idle() && !rooms_.links.has_streams();
    if (is_done || loop_.now() >= drain_deadline_) return say_goodbye();
    drain_timer_.set_after(kDrainPoll);
  }

  void say_goodbye() {
    if (std::exchange(goodbye_said_, true)) return loop_.stop();
    // Now, if its timer has not done so: what is cut is told to its callers before the goodbye, and counted.
    if (!rooms_.machine.is_idle()) rooms_.machine.drain(loop_.now(), loop_.now(), stop_reason_);
    const TaskFlow& tasks = rooms_.machine.tasks();
    log_.info("saying goodbye", {"tasks_cut", tasks.ledger().counters().cut},
              {"attempts_cut", tasks.executor().counters().cut});
    rooms_.machine.say_goodbye(loop_.now(), "the node stops: " + stop_reason_);
    goodbye_deadline_ = loop_.now() + kGoodbyeTimeMax;
    drain_timer_.set_after(kGoodbyeTime);
  }

  // What is finished is written out: a large result may take longer than a goodbye.
  void look_whether_sent() {
    if (rooms_.links.unsent_bytes() == 0 || loop_.now() >= goodbye_deadline_) return loop_.stop();
    drain_timer_.set_after(kDrainPoll);
  }

  void watch() {
    const auto interval = notify_.watchdog_interval();
    if (!interval) return;
    notify_.watchdog();
    watchdog_timer_.set_after(*interval);
  }

  void watch_memory() {
    if (memory_return_.is_due(rooms_.machine.memory().used())) ::malloc_trim(0);
    memory_timer_.set_after(kMemoryInterval);
  }

  Loop& loop_;
  Logger log_;
  std::unique_ptr<StateFolder> state_;
  Rooms rooms_;
  std::unique_ptr<MetricsProvider> metrics_;
  MetricsProvider::Registration report_;
  MetricsProvider::Registration process_report_;
  AdminView queries_;
  AdminServer admin_;
  std::optional<HttpServer> http_;
  ServiceNotify notify_;
  Timer drain_timer_;
  Timer watchdog_timer_;
  Timer memory_timer_;
  MemoryReturn memory_return_;
  base::Instant drain_deadline_{};
  base::Instant goodbye_deadline_{};
  std::string stop_reason_;
  bool stopping_ = false;
  bool goodbye_said_ = false;
};

base::StatusOr<std::unique_ptr<Node>> Node::start(Loop& loop, const Settings& settings, Logger log) {
  auto state = StateFolder::open(settings.node.state_dir);
  if (!state.ok()) return state.status();
  auto identity = (*state)->begin_epoch();
  if (!identity.ok()) return identity.status();
  auto impl = std::make_unique<Impl>(loop, settings, *std::move(state), *identity, std::move(log));
  KAIDO_RETURN_IF_ERROR(impl->start());
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

void Node::begin_stop(const std::string& why) { impl_->begin_stop(why); }
bool Node::is_draining() const { return impl_->is_draining(); }
std::optional<Address> Node::peer_address() const { return impl_->peer_address(); }
std::optional<std::uint16_t> Node::http_port() const { return impl_->http_port(); }

}  // namespace kaido::daemon
