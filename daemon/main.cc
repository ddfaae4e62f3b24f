/// kaidod: flags → settings → Node.
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>

#include "daemon/node/node.h"
#include "daemon/runtime/loop.h"
#include "daemon/settings/loader.h"
#include "daemon/telemetry/library_logs.h"
#include "daemon/telemetry/log.h"
#include "proto/base/version.h"

namespace {

using namespace kaido::daemon;

constexpr int kExitStart = 1;      // it could not start, for the reason that it logged
constexpr int kExitInternal = 70;  // sysexits' EX_SOFTWARE: an error that nothing expected; a bug
constexpr int kExitConfig = 78;    // sysexits' EX_CONFIG: restarting does not help, the configuration must change

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

/// What was asked for and could not be printed was not done.
int flushed() {
  if (std::cout.flush() && std::fflush(stdout) == 0) return 0;
  std::fputs("kaidod: cannot write to standard output\n", stderr);
  return kExitStart;
}

int run(int argc, char** argv) {
  CLI::App app("Kaido's daemon: one on each host. Without a configuration it serves the apps of this host alone.",
               "kaidod");
  std::string config;
  bool check = false;
  app.add_option("--config", config, "YAML file; docs/operating/configuration.md lists every key")->type_name("FILE");
  app.add_flag("--check", check, "validate the configuration, print every problem, and exit");
  app.set_version_flag("--version", std::string("kaidod ") + kaido::base::kVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? flushed() : code;
  }

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
    return flushed();
  }
  return serve(settings);
}

}  // namespace

int main(int argc, char** argv) {
  // Descriptors 0 to 2 are reserved by now: //daemon/telemetry:standard_streams.
  // A reader that is gone is an error like any other. Until signals are watched, a hang-up ends nothing either.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kaidod: ended by an error that nothing expected; please report it: %s\n", error.what());
    return kExitInternal;
  }
}
