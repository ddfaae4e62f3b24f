#include "daemon/serve.h"

#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "daemon/node/node.h"
#include "daemon/node/preflight.h"
#include "daemon/runtime/loop.h"
#include "daemon/telemetry/library_logs.h"
#include "daemon/telemetry/log.h"

namespace kaido::daemon {
namespace {

/// The first signal drains, the second does not wait. A hang-up, of a terminal or from habit, ends nothing.
void watch_signals(boost::asio::signal_set& signals, Node& node, const Logger& log) {
  signals.async_wait([&signals, &node, &log](const boost::system::error_code& error, int number) {
    if (error) return;
    if (number == SIGHUP) {
      log.warn("SIGHUP is ignored: reload comes later; restart kaidod for a changed configuration");
    } else {
      node.begin_stop(number == SIGTERM ? "SIGTERM" : "SIGINT");
    }
    watch_signals(signals, node, log);
  });
}

int run_node(const Settings& settings, const Logger& log) {
  const std::vector<std::string> obstacles = find_obstacles(settings);
  for (const std::string& obstacle : obstacles) log.error("cannot start", {"reason", obstacle});
  if (!obstacles.empty()) return kExitConfig;
  Loop loop;
  boost::asio::signal_set signals(loop.io(), SIGTERM, SIGINT, SIGHUP);
  auto node = Node::start(loop, settings, log);
  if (!node.ok()) {
    log.error("cannot start", {"reason", std::string(node.status().message())});
    return kExitStart;
  }
  watch_signals(signals, **node, log);
  loop.run();
  log.info("stopped");
  return 0;
}

}  // namespace

int serve(const Settings& settings) {
  const Logger log(make_stderr_log(settings.log));
  const LibraryLogs library_logs(log);
  try {
    return run_node(settings, log);
  } catch (const std::exception& error) {
    log.error("ended by an error that nothing expected; please report it", {"error", error.what()});
    return kExitInternal;
  }
}

}  // namespace kaido::daemon
