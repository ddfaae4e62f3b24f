#include "tests/bench/runtime/tokio.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace kaido::bench {

namespace {

namespace fs = std::filesystem;

/// `bazel run` gives programs no HOME of their own to lose: the cache is where other tools keep theirs.
fs::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) return fs::path(cache) / "kaido-bench-tokio";
  if (const char* home = std::getenv("HOME")) return fs::path(home) / ".cache" / "kaido-bench-tokio";
  return fs::temp_directory_path() / "kaido-bench-tokio";
}

}  // namespace

Tokio Tokio::build(const std::string& manifest_folder) {
  if (std::system("cargo --version > /dev/null 2>&1") != 0) return Tokio("skipped: cargo is not installed");
  // Built from a copy: cargo writes a lock file beside the manifest.
  const fs::path folder = cache_folder();
  std::error_code error;
  fs::create_directories(folder / "src", error);
  const auto overwrite = fs::copy_options::overwrite_existing;
  fs::copy_file(fs::path(manifest_folder) / "Cargo.toml", folder / "Cargo.toml", overwrite, error);
  if (!error) fs::copy_file(fs::path(manifest_folder) / "src/main.rs", folder / "src/main.rs", overwrite, error);
  if (error) return Tokio("skipped: cannot write " + folder.string() + ": " + error.message());
  const std::string build = "cd '" + folder.string() + "' && cargo build --release --quiet 1>&2";
  if (std::system(build.c_str()) != 0) return Tokio("skipped: cargo cannot build it (is its registry reachable?)");
  Tokio tokio{std::string()};
  tokio.process_ =
      std::make_unique<Process>(std::vector<std::string>{(folder / "target/release/kaido-bench-tokio").string()});
  return tokio;
}

std::optional<double> Tokio::measure(const std::string& workload, double milliseconds) {
  if (process_ == nullptr) return std::nullopt;
  process_->write_line(workload + " " + std::to_string(milliseconds));
  const std::string answer = process_->read_line();
  if (answer == "unknown") return std::nullopt;
  return std::stod(answer);
}

}  // namespace kaido::bench
