// What a session makes of the other side's account of itself.
#include "daemon/core/session/peer_session_fixture.h"

namespace kaido::daemon {
namespace {

TEST_F(PeerSessionTest, NodeInfoMustSpeakOfWhoSaidHello) {
  NodeInfo other_id = b.info(), other_epoch = b.info(), other_nonce = b.info();
  other_id.id = a.options.node_id;
  other_epoch.life.epoch.value += 1;
  other_nonce.life.nonce += 1;
  for (const NodeInfo& bad : {other_id, other_epoch, other_nonce}) {
    Side x("x", 3, PeerSession::Role::kDialer);
    Side y("b", 2, PeerSession::Role::kAcceptor);
    establish(x, y);
    EXPECT_TRUE(y.session->send_node_info(bad));
    exchange(x, y);
    ASSERT_TRUE(x.closed);
    EXPECT_NE(x.closed->message().find("another node than hello"), std::string::npos) << *x.closed;
  }
}

TEST_F(PeerSessionTest, TheFirstNodeInfoBelongsToTheHandshake) {
  b.introduces_itself = false;
  a.session->start();
  b.session->start();
  exchange();
  EXPECT_FALSE(a.session->is_established());
  EXPECT_FALSE(a.session->send_attempt({10, 1, placement(), 0ms, {}, {}})) << "nobody knows yet what b offers";
  wire::FrameView load;
  load.header.kind = wire::FrameKind::kPing;
  load.header.set_load({3, 8});
  a.session->handle_frame(now, load);
  EXPECT_EQ(a.events, (Events{"greeted by b", "established with b"})) << "a load has no node yet";
  wire::FrameView result;
  result.header.kind = wire::FrameKind::kResult;
  a.session->handle_frame(now, result);
  ASSERT_TRUE(a.closed);
  EXPECT_NE(a.closed->message().find("before node info"), std::string::npos) << *a.closed;
}

TEST_F(PeerSessionTest, AFirstNodeInfoThatIsRefusedEndsTheHandshake) {
  a.info_answer = absl::ResourceExhaustedError("too many nodes");
  a.session->start();
  b.session->start();
  exchange();
  ASSERT_TRUE(a.closed && b.closed);
  EXPECT_NE(b.closed->message().find("too many nodes"), std::string::npos) << *b.closed;
}

TEST_F(PeerSessionTest, ALaterAnnouncementThatIsRefusedEndsNothing) {
  establish();
  a.info_answer = absl::FailedPreconditionError("a later life is known");
  EXPECT_TRUE(b.session->send_node_info(b.info()));
  exchange();
  wire::FrameView frame;
  frame.header.kind = wire::FrameKind::kNodeInfo;
  frame.metadata = wire::as_span("\xff\xff");
  a.session->handle_frame(now, frame);
  ASSERT_EQ(a.events.size(), 3U);
  EXPECT_EQ(a.events[1], "refused a later life is known");
  EXPECT_EQ(a.events[2].rfind("refused the metadata of a node info frame", 0), 0U) << a.events[2];
  EXPECT_FALSE(a.closed);
}

TEST_F(PeerSessionTest, AnAnnouncementThatThePeerDoesNotTakeIsNotSent) {
  a.options.max_metadata_bytes = 100;
  establish();
  NodeInfo info = b.info();
  info.address = std::string(100, 'x');
  EXPECT_FALSE(b.session->send_node_info(info));
  EXPECT_TRUE(b.out.empty());
}

TEST_F(PeerSessionTest, ADeltaGoesToWhoTakesOne) {
  establish();
  EXPECT_TRUE(a.session->takes_deltas());
  NodeInfoDelta delta;
  delta.base_version = 3;
  delta.version = 4;
  EXPECT_TRUE(a.session->send_node_info_delta(delta));
  exchange();
  EXPECT_EQ(b.events, Events{"delta 3 to 4"});
  Side old("old", 3, PeerSession::Role::kDialer);
  Side acceptor("new", 4, PeerSession::Role::kAcceptor);
  old.options.features = 0;
  establish(old, acceptor);
  EXPECT_FALSE(acceptor.session->takes_deltas());
  EXPECT_FALSE(old.session->takes_deltas());
}

TEST_F(PeerSessionTest, NodeInfoIsAskedForOnceUntilItComes) {
  establish();
  a.session->want_node_info();
  a.session->want_node_info();
  exchange();
  EXPECT_EQ(b.events, Events{"node info wanted"});
  EXPECT_TRUE(b.session->send_node_info(b.info()));
  exchange();
  a.session->want_node_info();
  exchange();
  EXPECT_EQ(b.events, (Events{"node info wanted", "node info wanted"}));
}

TEST_F(PeerSessionTest, ADeltaThatCannotBeUsedIsRefusedAndEndsNothing) {
  establish();
  wire::FrameView frame;
  frame.header.kind = wire::FrameKind::kNodeInfoDelta;
  frame.metadata = wire::as_span("\xff\xff");
  a.session->handle_frame(now, frame);
  a.info_answer = absl::ResourceExhaustedError("too much");
  frame.metadata = {};
  a.session->handle_frame(now, frame);
  ASSERT_EQ(a.events.size(), 3U);
  EXPECT_EQ(a.events[0].rfind("refused the metadata of a node info delta frame", 0), 0U) << a.events[0];
  EXPECT_EQ(a.events[2], "refused too much");
  EXPECT_FALSE(a.closed);
}

TEST_F(PeerSessionTest, ADeltaThatThePeerDoesNotTakeIsNotSent) {
  a.options.max_metadata_bytes = 100;
  establish();
  NodeInfoDelta delta;
  delta.address = std::string(100, 'x');
  EXPECT_FALSE(b.session->send_node_info_delta(delta));
  EXPECT_TRUE(b.out.empty());
}

}  // namespace
}  // namespace kaido::daemon
