/// The documents and examples that follow from the schema do follow it.
#include "daemon/settings/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "daemon/settings/loader.h"

namespace kaido::daemon {
namespace {

const HostFacts kHost{"node-a", "/run/kaido", "/var/lib/kaido", true};

std::string read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Reference, DocumentHoldsTheTable) {
  const std::string document = read("docs/operating/configuration.md");
  const std::string begin = "<!-- settings: begin -->\n";
  const std::string end = "<!-- settings: end -->";
  const std::size_t from = document.find(begin);
  const std::size_t to = document.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(document.substr(from + begin.size(), to - from - begin.size()), settings_reference_markdown())
      << "docs/operating/configuration.md: replace what is between the two comments by the second text above";
}

TEST(Reference, CommentedExampleIsTheTable) {
  EXPECT_EQ(read("config/kaidod.yaml"), settings_reference_yaml())
      << "config/kaidod.yaml: replace it by the second text above";
}

/// Without the "#" before each setting; prose, which has a space behind its "#", stays a comment.
std::string without_comment_marks(const std::string& text) {
  std::string active;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool before_key = text[i] == '#' && i + 1 < text.size() && text[i + 1] >= 'a' && text[i + 1] <= 'z';
    if (!before_key) active += text[i];
  }
  return active;
}

TEST(Reference, CommentedDefaultsAreTheDefaults) {
  const std::string active = without_comment_marks(read("config/kaidod.yaml"));
  ASSERT_NE(active.find("\n  max_apps: 1024\n"), std::string::npos);
  const LoadResult loaded = load_settings(active, "kaidod.yaml", kHost);
  ASSERT_TRUE(loaded.ok()) << loaded.report();
  const Settings defaults = default_settings(kHost);
  EXPECT_EQ(loaded.settings.node.slots, defaults.node.slots);
  EXPECT_EQ(loaded.settings.listen.app_socket_mode, defaults.listen.app_socket_mode);
  EXPECT_EQ(loaded.settings.limits.max_frame_bytes, defaults.limits.max_frame_bytes);
  EXPECT_EQ(loaded.settings.timeouts.drain, defaults.timeouts.drain);
  EXPECT_EQ(loaded.settings.log.format, defaults.log.format);
  EXPECT_EQ(loaded.settings.listen.http, defaults.listen.http);
}

TEST(Reference, ExamplesLoad) {
  for (const std::string path :
       {"config/kaidod.yaml", "config/single-node.yaml", "config/edge.yaml", "config/three-nodes/a.yaml",
        "config/three-nodes/b.yaml", "config/three-nodes/c.yaml"}) {
    const LoadResult loaded = load_settings_file(path, kHost);
    EXPECT_TRUE(loaded.ok()) << loaded.report();
  }
}

TEST(Reference, ThreeNodesNameEachOther) {
  for (const char self : {'a', 'b', 'c'}) {
    const auto own = load_settings_file(std::string("config/three-nodes/") + self + ".yaml", kHost).settings;
    for (const char other : {'a', 'b', 'c'}) {
      const auto peer = load_settings_file(std::string("config/three-nodes/") + other + ".yaml", kHost).settings;
      ASSERT_TRUE(peer.listen.peer.has_value());
      const auto named = std::count(own.peers.begin(), own.peers.end(), *peer.listen.peer);
      EXPECT_EQ(named, self == other ? 0 : 1) << self << " and " << other;
    }
  }
}

}  // namespace
}  // namespace kaido::daemon
