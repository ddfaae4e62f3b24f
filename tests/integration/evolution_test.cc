/// Callers and workers that were built from different declarations of one function: what fits meets, and nothing else.
/// And what an app may say of its functions.
#include <cstdint>
#include <memory>
#include <optional>
#include <array>
#include <string>

#include <gtest/gtest.h>
#include <kaido/kaido.h>

#include "proto/base/ids.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/handshake.h"
#include "tests/integration/apps.h"
#include "tests/support/raw_socket.h"
#include "tests/support/test_cluster.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

using Version1 = std::string(std::string);
using Version2 = std::string(std::string, std::optional<std::int32_t>);
using Version3 = std::string(bool);

/// The client's node is a.
class Evolution : public ::testing::Test {
 protected:
  template <class S>
  RemoteByName<S> versioned() {
    return client.node().remote<S>("versioned");
  }

  TestCluster cluster{{NodeSpec("a"), NodeSpec("b")}};
  Client client{cluster["a"]};
};

TEST_F(Evolution, AnOldCallerIsServedByANewWorkerHereAndElsewhere) {
  const auto on_a = App::version(cluster["a"], 2);
  const auto on_b = App::version(cluster["b"], 2);
  ASSERT_TRUE(cluster.settle());
  for (const char* node : {"a", "b"}) {
    const auto result = client.call(versioned<Version1>().on_node(node).call("old"));
    ASSERT_TRUE(result.ok()) << node << ": " << result.error();
    EXPECT_EQ(*result, "2:old") << node;
  }
}

TEST_F(Evolution, ANewCallerIsServedByAnOldWorkerHereAndElsewhere) {
  const auto on_a = App::version(cluster["a"], 1);
  const auto on_b = App::version(cluster["b"], 1);
  ASSERT_TRUE(cluster.settle());
  for (const char* node : {"a", "b"}) {
    const auto result = client.call(versioned<Version2>().on_node(node).call("new", 3));
    ASSERT_TRUE(result.ok()) << node << ": " << result.error();
    EXPECT_EQ(*result, "1:new") << node;
  }
}

TEST_F(Evolution, AVersionThatDoesNotFitIsPassedOver) {
  const auto on_a = App::version(cluster["a"], 3);
  const auto on_b = App::version(cluster["b"], 1);
  ASSERT_TRUE(cluster.settle());
  // The nearest node offers the function, but not this one.
  const auto result = client.call(versioned<Version2>().call("text", std::nullopt));
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(*result, "1:text");
  const auto here = client.call(versioned<Version3>().call(true));
  ASSERT_TRUE(here.ok()) << here.error();
  EXPECT_EQ(*here, "3:yes");
}

TEST_F(Evolution, AnIncompatibleChangeNeverMeetsAndBothVersionsAreNamed) {
  const auto on_a = App::version(cluster["a"], 3);
  const auto on_b = App::version(cluster["b"], 3);
  ASSERT_TRUE(cluster.settle());
  const auto result = client.call(versioned<Version1>().call("text"));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), ErrorKind::kSignatureMismatch) << result.error();
  EXPECT_EQ(result.error().message(),
            "signature mismatch of versioned: the caller has (string) -> string, the node offers (bool) -> string; "
            "argument 1 (a1): string for the caller, bool for the worker");
  ASSERT_EQ(result.error().reasons().size(), 2U);
  for (const NodeReason& reason : result.error().reasons()) EXPECT_EQ(reason.reason, "the same");
}

TEST_F(Evolution, AWorkerMayBeReplacedByItsNextVersionWhileCallersGoOn) {
  auto worker = App::version(cluster["a"], 1);
  ASSERT_TRUE(cluster.settle());
  const auto call = versioned<Version1>();
  EXPECT_EQ(client.call(call.call("x")).value(), "1:x");
  worker.reset();
  ASSERT_TRUE(wait_until([&] { return cluster["a"].metric("kaido_registry_functions{offered_by=\"self\"}") == 0; }));
  worker = App::version(cluster["a"], 2);
  EXPECT_EQ(client.call(call.call("x")).value(), "2:x") << "prepared before the new version was there";
}

// ---------------------------------------------------------------- what an app may say

template <class Message>
void append(wire::FrameWriter& out, wire::FrameKind kind, const Message& message) {
  wire::FrameHeader header;
  header.kind = kind;
  out.append(header, wire::as_span(message.SerializeAsString()));
}

/// A hello, and the offer of one function with this schema.
std::string registration(const std::string& schema) {
  wire::FrameWriter out;
  v1::Hello hello;
  hello.mutable_versions()->set_min(wire::kVersions.min);
  hello.mutable_versions()->set_max(wire::kVersions.max);
  append(out, wire::FrameKind::kHello, hello);
  v1::Register offer;
  offer.set_slots(1);
  v1::Function& function = *offer.add_functions();
  function.set_name("strange");
  function.set_id(base::function_id_of("strange").value);
  function.set_schema(schema);
  append(out, wire::FrameKind::kRegister, offer);
  std::string bytes;
  while (!out.empty()) {
    std::array<std::span<const std::byte>, 8> segments;
    const std::size_t count = out.gather(segments);
    const std::size_t before = bytes.size();
    for (std::size_t i = 0; i < count; ++i) bytes += wire::as_text(segments[i]);
    out.consume(bytes.size() - before);
  }
  return bytes;
}

TEST_F(Evolution, AMalformedOrHugeSchemaIsRefusedWithAReasonAndNobodyElseNotices) {
  const auto worker = App::version(cluster["a"], 1);
  int refused = 0;
  for (const std::string& schema :
       {std::string("\xff\xff"), std::string("\x0a\x03\x0a\x01x"), std::string(100000, 'x')}) {
    RawSocket app = RawSocket::connect_unix(cluster["a"].app_socket());
    ASSERT_TRUE(app.write(registration(schema)));
    const std::string answer = app.read_to_end();
    EXPECT_NE(answer.find("schema"), std::string::npos) << answer;
    EXPECT_NE(answer.find("strange"), std::string::npos) << "the function is named: " << answer;
    EXPECT_EQ(cluster["a"].metric("kaido_registry_refused_total{reason=\"schema\"}"), ++refused);
  }
  EXPECT_EQ(client.call(versioned<Version1>().call("still here")).value(), "1:still here");
}

}  // namespace
}  // namespace kaido::test
