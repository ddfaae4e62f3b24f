/// kaidod: flags → settings → serve().
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "daemon/node/preflight.h"
#include "daemon/serve.h"
#include "daemon/settings/loader.h"
#include "proto/base/version.h"

namespace {

using namespace kaido::daemon;

/// What was asked for and could not be printed was not done.
int flushed() {
  if (std::cout.flush() && std::fflush(stdout) == 0) return 0;
  std::fputs("kaidod: cannot write to standard output\n", stderr);
  return kExitStart;
}

/// The file is fine; what a start would still run into on this host.
int check_host(const Settings& settings, const std::string& config) {
  const std::string name = config.empty() ? "the defaults" : config;
  const std::vector<std::string> obstacles = find_obstacles(settings);
  for (const std::string& obstacle : obstacles) std::fprintf(stderr, "%s: %s\n", name.c_str(), obstacle.c_str());
  if (!obstacles.empty()) return kExitConfig;
  std::printf("%s: no problems\n", name.c_str());
  return flushed();
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
    return app.exit(error) == 0 ? flushed() : kExitUsage;
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
  return check ? check_host(settings, config) : serve(settings);
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
