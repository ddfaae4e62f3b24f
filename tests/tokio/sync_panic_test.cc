// Misuse of channels; that of locks, semaphores, mpsc and oneshot is in sync_panic_locks_test.cc.
#include <stdexcept>

#include <gtest/gtest.h>

#include <kaido/sync/broadcast.h>

namespace kaido {
namespace {

TEST(sync_panic, broadcast_channel_panic_caller) {
  EXPECT_THROW(static_cast<void>(broadcast::channel<int>(0)), std::logic_error);
  EXPECT_THROW(static_cast<void>(broadcast::Sender<int>::new_sender(0)), std::logic_error);
}

}  // namespace
}  // namespace kaido
