/// kaidod: flags → settings → Node.
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>

#include "daemon/node/node.h"
#include "daemon/runtime/loop.h"
#include "daemon/settings/loader.h"
#include "daemon/telemetry/log.h"
#include "proto/base/version.h"

namespace {

using namespace kaido::daemon;

constexpr int kExitStart = 1;    // it could not start, for the reason that it logged
constexpr int kExitConfig = 78;  // sysexits' EX_CONFIG: restarting does not help, the configuration must change

/// The first signal drains, the second does not wait.
void stop_on_signal(boost::asio::signal_set& signals, Node& node) {
  signals.async_wait([&signals, &node](const boost::system::error_code& error, int number) {
    if (error) return;
    node.begin_stop(number == SIGTERM ? "SIGTERM" : "SIGINT");
    stop_on_signal(signals, node);
  });
}

int serve(const Settings& settings) {
  const Logger log(make_stderr_log(settings.log));
  Loop loop;
  boost::asio::signal_set signals(loop.io(), SIGTERM, SIGINT);
  auto node = Node::start(loop, settings, log);
  if (!node.ok()) {
    log.error("cannot start", {"reason", std::string(node.status().message())});
    return kExitStart;
  }
  stop_on_signal(signals, **node);
  loop.run();
  log.info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Kaido's daemon: one on each host. Without a configuration it serves the apps of this host alone.",
               "kaidod");
  std::string config;
  bool check = false;
  app.add_option("--config", config, "YAML file; docs/operating/configuration.md lists every key")->type_name("FILE");
  app.add_flag("--check", check, "validate the configuration, print every problem, and exit");
  app.set_version_flag("--version", std::string("kaidod ") + kaido::base::kVersion);
  CLI11_PARSE(app, argc, argv);

  const HostFacts host = host_facts(current_process_facts());
  Settings settings = default_settings(host);
  if (!config.empty()) {
    const LoadResult loaded = load_settings_file(config, host);
    if (!loaded.ok()) {
      std::fputs(loaded.report().c_str(), stderr);
      return kExitConfig;
    }
    settings = loaded.settings;
  }
  if (check) {
    std::printf("%s: no problems\n", config.empty() ? "the defaults" : config.c_str());
    return 0;
  }
  return serve(settings);
}
