/// What the parity tests of broadcast channels expect of try_recv().
#pragma once

#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/sync/broadcast.h>

namespace kaido::parity {

template <typename T, typename U>
void expect_value(broadcast::Receiver<T>& receiver, const U& value) {
  auto received = receiver.try_recv();
  ASSERT_TRUE(received);
  EXPECT_EQ(*received, value);
}
template <typename T>
void expect_empty(broadcast::Receiver<T>& receiver) {
  auto received = receiver.try_recv();
  ASSERT_FALSE(received);
  EXPECT_TRUE(received.error().is_empty());
}
template <typename T>
void expect_closed(broadcast::Receiver<T>& receiver) {
  auto received = receiver.try_recv();
  ASSERT_FALSE(received);
  EXPECT_TRUE(received.error().is_closed());
}
template <typename T>
void expect_lagged(broadcast::Receiver<T>& receiver, std::uint64_t missed) {
  auto received = receiver.try_recv();
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error(), broadcast::TryRecvError::lagged(missed));
}

/// Sends the numbers from `first` to `last`.
inline void send_numbers(const broadcast::Sender<int>& sender, int first, int last) {
  for (int number = first; number <= last; ++number) EXPECT_TRUE(sender.send(number));
}
/// The numbers from `first` to `last` are received next.
inline void expect_numbers(broadcast::Receiver<int>& receiver, int first, int last) {
  for (int number = first; number <= last; ++number) expect_value(receiver, number);
}

}  // namespace kaido::parity
