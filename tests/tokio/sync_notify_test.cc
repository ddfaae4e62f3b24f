#include "tests/tokio/notify_cases.h"

namespace kaido::parity {
namespace {

KAIDO_NOTIFY_CASES(sync_notify, Borrowed)

TEST(sync_notify, unpolled_future_completed_by_notify_waiters_preserves_notify_one_permit) {
  Notify notify;
  PollProbe first(notify.notified());
  notify.notify_waiters();
  notify.notify_one();
  EXPECT_TRUE(first.poll());
  PollProbe second(notify.notified());
  EXPECT_TRUE(second.poll());
}

}  // namespace
}  // namespace kaido::parity
