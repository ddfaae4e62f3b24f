// What becomes of calls that end when there is no memory to gather their wakers: they are told all the same, and
// outside the connection's lock.
#include <kaido/kaido.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "sdk/client/client_test_support.h"
#include "sdk/client/fake_node.h"
#include "sdk/client/session_fixture.h"

namespace {

/// Of the size that is not to be had on this thread; 0: none.
thread_local std::size_t missing = 0;
/// That was asked for on this thread.
thread_local std::size_t largest = 0;

}  // namespace

void* operator new(std::size_t size) {
  largest = std::max(largest, size);
  void* memory = size != missing ? std::malloc(size) : nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

double seconds_of(std::chrono::duration<double> time) { return time.count(); }
KAIDO_FUNCTION_AS("seconds_of", &seconds_of);

}  // namespace

namespace kaido::detail {
namespace {

constexpr std::size_t kOfWakers = 64 * sizeof(Waker);

/// Of what an Error refers to, which only its own file knows.
std::size_t size_of_details() {
  largest = 0;
  const Error error(ErrorKind::kUnavailable, "");
  return std::exchange(largest, 0);
}
const std::size_t kOfDetails = size_of_details();

/// Does something when it is woken.
class Woken final : public WakeTarget {
 public:
  explicit Woken(std::function<void()> act = [] {}) : WakeTarget(kOneRef), act_(std::move(act)) {}
  void wake_by_ref() noexcept override {
    ++count;
    act_();
  }

  int count = 0;

 private:
  void destroy() noexcept override {}

  std::function<void()> act_;
};

/// Starts a call, has the node answer it, and reads the answer without memory.
class SessionMemoryTest : public SessionTest {
 protected:
  std::unique_ptr<Call> answer_without_memory(Woken& woken) {
    auto call = std::make_unique<Call>(target_);
    session_->start(*call, Waker(woken), now_);
    const auto frames = sent();
    EXPECT_FALSE(frames.empty());
    wire::FrameHeader header;
    header.kind = Kind::kResult;
    header.call_id = frames.back().header.call_id;
    EXPECT_EQ(node_->send(header, {}, wire::as_span("done")), wire::SendResult::kTaken);
    missing = kOfWakers;
    EXPECT_TRUE(carry_to_session());
    missing = 0;
    return call;
  }
  /// As the owner does at the end of its turn.
  void wake_all() {
    for (Waker& waker : std::exchange(session_->wakes(), {})) waker.wake();
  }
};

TEST_F(SessionMemoryTest, TheOwnerWakesThemOneByOne) {
  make_ready();
  Woken woken;
  const auto first = answer_without_memory(woken);
  const auto second = answer_without_memory(woken);
  EXPECT_FALSE(first->is_done || second->is_done) << "their tasks might end them before they are told";
  EXPECT_EQ(woken.count, 0);
  while (session_->has_unwoken()) session_->take_unwoken().wake();
  EXPECT_EQ(woken.count, 2);
  EXPECT_TRUE(first->succeeded() && second->succeeded());
  EXPECT_EQ(first->text(), "done");
}

TEST_F(SessionMemoryTest, OneThatIsDroppedBeforeItIsToldIsForgotten) {
  make_ready();
  Woken woken;
  auto first = answer_without_memory(woken);
  const auto second = answer_without_memory(woken);
  session_->drop(*first);
  first.reset();
  session_->take_unwoken().wake();
  EXPECT_FALSE(session_->has_unwoken());
  EXPECT_TRUE(second->succeeded());
  EXPECT_TRUE(sent().empty()) << "it has ended: there is nothing to cancel";
}

// An error is a reference to its text, for which there may be no memory either: then it says the kind alone.
TEST_F(SessionMemoryTest, WhatWaitsFailsWithoutMemoryForItsError) {
  make_session();
  Woken woken;
  Call call(target_);
  session_->start(call, Waker(woken), now_);
  missing = kOfDetails;
  session_->close("the program ends");
  missing = 0;
  wake_all();
  EXPECT_EQ(woken.count, 1);
  EXPECT_TRUE(call.is_done);
  ASSERT_TRUE(call.error.has_value());
  EXPECT_TRUE(call.error->is_unavailable());
}

TEST_F(SessionMemoryTest, WhatIsUnderWayFailsWithoutMemoryForItsError) {
  make_ready();
  Woken woken;
  Call call(target_);
  session_->start(call, Waker(woken), now_);
  EXPECT_FALSE(sent().empty());
  missing = kOfDetails;
  session_->handle_disconnected(now_, "on purpose");
  missing = 0;
  wake_all();
  EXPECT_EQ(woken.count, 1);
  EXPECT_TRUE(call.is_done);
  ASSERT_TRUE(call.error.has_value());
  EXPECT_TRUE(call.error->is_unavailable());
}

// To sort them takes no memory, and so none can be missing.
TEST_F(SessionMemoryTest, WhatIsToBeRepeatedWaitsAgainWithoutMemory) {
  make_ready();
  Woken woken;
  Call first(target_);
  Call second(target_);
  session_->start(first, Waker(woken), now_);  // Of neither is anything sent.
  session_->start(second, Waker(woken), now_);
  missing = sizeof(PendingCall*);
  session_->handle_disconnected(now_, "on purpose");
  missing = 0;
  EXPECT_FALSE(first.is_done || second.is_done);
  EXPECT_EQ(session_->waiting(), 2u);
  session_->drop(first);
  session_->drop(second);
}

// Whoever is woken may use the connection at once, from whatever thread.
TEST(ConnectionMemoryTest, WakesThemWithoutItsLock) {
  const std::string path = testing::new_socket_path();
  testing::FakeNode fake(path);
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().build().value();
  runtime.block_on([&]() -> Task<void> {
    auto node = (co_await NodeRuntime::connect(NodeOptions().socket(path))).value();
    fake.hold();
    bool is_free = false;
    Woken woken([&] {
      missing = 0;
      auto asked = std::async(std::launch::async, [&] { return node.metrics().calls_in_flight; });
      is_free = asked.wait_for(5s) == std::future_status::ready;
    });
    auto call = node.remote<&seconds_of>().call(1s);
    Budget budget;
    PollContext context(woken, budget);
    EXPECT_FALSE(call.poll(context));
    auto held = spawn_blocking([&] { fake.await_held(1); });
    static_cast<void>(co_await held);
    missing = kOfWakers;
    fake.drop_connection();
    while (woken.count == 0) co_await yield_now();
    missing = 0;
    EXPECT_TRUE(is_free);
    EXPECT_TRUE(call.poll(context));
    EXPECT_TRUE(call.take().error().is_unavailable());
  });
}

}  // namespace
}  // namespace kaido::detail
