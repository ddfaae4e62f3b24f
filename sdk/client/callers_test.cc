// The ways to call, in this process and through a node: by declaration, with arguments left out, by method, by name.
#include <kaido/kaido.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/client/client_test_support.h"
#include "sdk/client/fake_node.h"

namespace post {

std::string label(std::string to, std::string from = "Kyoto", std::optional<int> weight = std::nullopt) {
  return from + " to " + to + (weight ? ", " + std::to_string(*weight) + " g" : "");
}
KAIDO_FUNCTION(label, "to", "from", "weight");

int trailing(int a, std::optional<int> b, std::optional<std::string> c) {
  return a + b.value_or(10) + static_cast<int>(c.value_or("").size());
}
KAIDO_FUNCTION(trailing);

std::int64_t count_words(std::string_view text) { return static_cast<std::int64_t>(text.size()); }
KAIDO_FUNCTION(count_words);

class Office {
 public:
  std::int64_t take(std::int64_t letters = 1) { return letters_ += letters; }
  kaido::Task<std::string> describe(std::string prefix) const { co_return prefix + std::to_string(letters_); }

 private:
  std::atomic<std::int64_t> letters_{0};
};
KAIDO_METHOD(Office, take, "letters");
KAIDO_SERVICE(Office, take, describe);

struct Parcel {  // in one another
  std::unique_ptr<Parcel> inside;
};
Parcel wrap(int times) {
  Parcel parcel;
  for (int i = 1; i < times; ++i) {
    Parcel outer;
    outer.inside = std::make_unique<Parcel>(std::move(parcel));
    parcel = std::move(outer);
  }
  return parcel;
}
KAIDO_FUNCTION(wrap);
int unwrap(const Parcel& parcel) { return parcel.inside == nullptr ? 1 : 1 + unwrap(*parcel.inside); }
KAIDO_FUNCTION(unwrap);

}  // namespace post

namespace {

/// A LocalRuntime or a NodeRuntime.
class Cluster {
 public:
  explicit Cluster(std::shared_ptr<kaido::detail::Backend> backend) : backend_(std::move(backend)) {}
  template <auto F>
  [[nodiscard]] kaido::Remote<F> remote() const {
    return kaido::Remote<F>(backend_);
  }
  template <class S>
  [[nodiscard]] kaido::RemoteByName<S> remote(std::string_view name) const {
    return kaido::RemoteByName<S>(name, backend_);
  }

 private:
  std::shared_ptr<kaido::detail::Backend> backend_;
};
using Body = kaido::Task<void> (*)(Cluster);

void on_both(Body body) {
  kaido::Runtime::create().value().block_on([](Body run) -> kaido::Task<void> {
    const kaido::LocalRuntime local;
    co_await run(Cluster(local.backend()));
  }(body));
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  kaido::Runtime::create().value().block_on([](Body run, std::string at) -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(kaido::NodeOptions().socket(at))).value();
    co_await run(Cluster(node.backend()));
    co_await node.shutdown();
  }(body, path));
}

TEST(Callers, LeaveOutDefaultArguments) {
  on_both([](Cluster cluster) -> kaido::Task<void> {
    const auto label = cluster.remote<&post::label>();
    EXPECT_EQ((co_await label.call("Edo")).value(), "Kyoto to Edo");
    EXPECT_EQ((co_await label.call("Edo", "")).value(), " to Edo");  // Given, though empty.
    EXPECT_EQ((co_await label.call("Edo", "Nara", 0)).value(), "Nara to Edo, 0 g");
  });
}

TEST(Callers, LeaveOutTrailingOptionals) {
  on_both([](Cluster cluster) -> kaido::Task<void> {
    const auto trailing = cluster.remote<&post::trailing>();
    EXPECT_EQ((co_await trailing.call(1)).value(), 11);
    EXPECT_EQ((co_await trailing.call(1, 0)).value(), 1);
    EXPECT_EQ((co_await trailing.call(1, std::nullopt, "ab")).value(), 13);
    auto spawned = cluster.remote<&post::trailing>().spawn(2);
    EXPECT_EQ((co_await spawned).value(), 12);
  });
}

TEST(Callers, CallByNameWithAStatedSignature) {
  on_both([](Cluster cluster) -> kaido::Task<void> {
    const auto count_words = cluster.remote<std::int64_t(std::string)>("post::count_words");
    EXPECT_EQ((co_await count_words.call("abc")).value(), 3);
    EXPECT_EQ((co_await count_words.call("abcd")).value(), 4);
    auto spawned = cluster.remote<std::int64_t(std::string)>("post::count_words").idempotent().spawn("a");
    EXPECT_EQ((co_await spawned).value(), 1);
    // A default argument there is an optional here.
    const auto label =
        cluster.remote<std::string(std::string, std::optional<std::string>, std::optional<int>)>("post::label");
    EXPECT_EQ((co_await label.call("Edo")).value(), "Kyoto to Edo");
    EXPECT_EQ((co_await label.call("Edo", "Nara")).value(), "Nara to Edo");
  });
}

TEST(Callers, CallMethodsOfAServedObject) {
  const kaido::Service office = kaido::serve(std::make_shared<post::Office>());
  on_both([](Cluster cluster) -> kaido::Task<void> {
    const auto take = cluster.remote<&post::Office::take>();
    const std::int64_t before = (co_await take.call(0)).value();
    EXPECT_EQ((co_await take.call(5)).value(), before + 5);
    EXPECT_EQ((co_await take.call()).value(), before + 6);
    EXPECT_EQ((co_await cluster.remote<&post::Office::describe>().call("all: ")).value(),
              "all: " + std::to_string(before + 6));
    const auto by_name = cluster.remote<std::int64_t(std::optional<std::int64_t>)>("post::Office::take");
    EXPECT_EQ((co_await by_name.call()).value(), before + 7);
  });
}

TEST(Callers, LearnThatAnotherSignatureIsRegisteredHere) {
  kaido::Runtime::create().value().block_on([]() -> kaido::Task<void> {
    const kaido::LocalRuntime local;
    const auto result = co_await local.remote<int(std::string, double)>("post::count_words").call("a", 1);
    EXPECT_EQ(result.error().kind(), kaido::ErrorKind::kSignatureMismatch);
    EXPECT_EQ(
        result.error().message(),
        "the caller takes 'post::count_words' for (string, double) -> int32, it is registered as (string) -> int64");
  });
}

TEST(Callers, FindAServiceThatCameAndWent) {
  kaido::Runtime::create().value().block_on([]() -> kaido::Task<void> {
    const kaido::LocalRuntime local;
    const auto take = local.remote<&post::Office::take>();
    kaido::Service office = kaido::serve(std::make_shared<post::Office>());
    EXPECT_EQ((co_await take.call(2)).value(), 2);
    office.end();
    EXPECT_TRUE((co_await take.call(2)).error().is_rejected());
    office = kaido::serve(std::make_shared<post::Office>());
    EXPECT_EQ((co_await take.call(3)).value(), 3);
  });
}

TEST(Callers, OfferMethodsWithAnObjectOnly) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  const auto connect = [&path] {
    kaido::Runtime::create().value().block_on([](std::string at) -> kaido::Task<void> {
      auto node = (co_await kaido::NodeRuntime::connect(kaido::NodeOptions().socket(at))).value();
      co_await node.shutdown();
    }(path));
  };
  connect();
  EXPECT_EQ(fake.offered(), (std::vector<std::string>{"post::count_words", "post::label", "post::trailing",
                                                      "post::unwrap", "post::wrap"}));
  const kaido::Service office = kaido::serve(std::make_shared<post::Office>());
  connect();
  EXPECT_EQ(fake.offered(),
            (std::vector<std::string>{"post::Office::describe", "post::Office::take", "post::count_words",
                                      "post::label", "post::trailing", "post::unwrap", "post::wrap"}));
}

TEST(Callers, ByNameShareWhatIsKnownOfIt) {
  const auto target = [](std::string_view name) {
    return &kaido::detail::named_target(name, 1, kaido::detail::kSignature<void>);
  };
  EXPECT_EQ(target("a"), target(std::string("a")));
  EXPECT_NE(target("a"), target("b"));
  EXPECT_NE(target("a"), &kaido::detail::named_target("a", 2, kaido::detail::kSignature<void>));
  EXPECT_EQ(target("post::count_words")->id, kaido::detail::hash64("post::count_words"));
  std::vector<std::thread> threads;
  std::atomic<int> same{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) same += target(std::to_string(n)) == target(std::to_string(n)) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, 800);
}

TEST(Callers, AreToldOfArgumentsAndResultsThatAreNestedTooDeeply) {
  on_both([](Cluster cluster) -> kaido::Task<void> {
    constexpr int kMost = kaido::detail::kMaxMessageDepth;
    const post::Parcel deepest = post::wrap(kMost);
    EXPECT_EQ((co_await cluster.remote<&post::unwrap>().call(deepest)).value(), kMost);
    const post::Parcel deeper = post::wrap(kMost + 1);
    auto refused = cluster.remote<&post::unwrap>().call(deeper);
    auto moved = std::move(refused);
    const kaido::Result<int> answer = co_await std::move(moved);
    EXPECT_EQ(answer.error().kind(), kaido::ErrorKind::kInvalidArgument);
    EXPECT_EQ(answer.error().message(),
              "post::unwrap: the arguments contain more than 100 messages within each other, more than receivers read: "
              "send what is so deep as a list");

    const kaido::Result<post::Parcel> received = co_await cluster.remote<&post::wrap>().call(kMost);
    EXPECT_EQ(post::unwrap(received.value()), kMost);
    const kaido::Result<post::Parcel> failed = co_await cluster.remote<&post::wrap>().call(kMost + 1);
    EXPECT_EQ(failed.error().kind(), kaido::ErrorKind::kInvalidArgument);
    EXPECT_NE(failed.error().message().find("the parts of the result contain more than 100 messages"),
              std::string::npos)
        << failed.error();
  });
}

}  // namespace
