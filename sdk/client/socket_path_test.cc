/// Where an app looks for its node, and whose folder it does not trust.
#include "sdk/client/socket_path.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <kaido/kaido.h>

#include "proto/base/private_folder.h"

namespace {

std::int64_t twice(std::int64_t value) { return 2 * value; }
KAIDO_FUNCTION_AS("socket_path_test::twice", &twice);

/// What is wrong with calling by default, in a process of a user whose /tmp/kaido-<uid> leads elsewhere; its exit code.
int call_with_a_foreign_folder() {
  // Root becomes a user that does not exist, so that no real folder is in the way.
  if (::getuid() == 0 && ::setuid(2'100'000'000 + static_cast<uid_t>(::getpid())) != 0) return 10;
  const std::string folder = kaido::base::fallback_socket_folder(::getuid());
  // A user of this host may have a good one.
  if (::symlink("/", folder.c_str()) != 0) return kaido::detail::socket_problem(folder + "/kaidod.sock") ? 11 : 0;
  ::unsetenv("KAIDO_SOCKET");
  ::unsetenv("XDG_RUNTIME_DIR");
  ::unsetenv("KAIDO_LOCAL");
  int code = 12;
  {
    kaido::Runtime runtime = kaido::RuntimeBuilder::new_current_thread().enable_all().build().value();
    runtime.block_on([&]() -> kaido::Task<void> {
      auto options = kaido::NodeOptions();
      const auto connected = co_await kaido::NodeRuntime::connect(options);
      const bool is_refused = connected.has_error() && connected.error().is_unavailable() &&
                              connected.error().message().find(folder + " is a symbolic link") != std::string::npos;
      code = is_refused ? 0 : 13;
    });
  }
  ::unlink(folder.c_str());
  return code;
}

TEST(SocketPath, ThatIsNamedIsTakenAsItIs) {
  ::setenv("KAIDO_SOCKET", "/somewhere/kaidod.sock", 1);
  EXPECT_EQ(kaido::detail::find_socket().path, "/somewhere/kaidod.sock");
  EXPECT_TRUE(kaido::detail::find_socket().is_explicit);
  ::unsetenv("KAIDO_SOCKET");
  EXPECT_EQ(kaido::detail::socket_problem("/somewhere/kaidod.sock"), std::nullopt);
}

TEST(SocketPath, InAFolderOfSomebodyElsesIsRefusedWithItsOwner) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(call_with_a_foreign_folder());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
