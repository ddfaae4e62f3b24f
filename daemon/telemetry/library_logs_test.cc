#include "daemon/telemetry/library_logs.h"

#include <google/protobuf/struct.pb.h>
#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include <string>

#include "daemon/telemetry/on_behalf_of.h"

namespace kaido::daemon {
namespace {

/// libprotobuf complains about text that is not UTF-8 when it serializes it.
void provoke_protobuf() {
  google::protobuf::Value value;
  value.set_string_value("\xff");
  (void)value.SerializeAsString();
}

TEST(LibraryLogs, GoThroughOurLog) {
  std::string out;
  testing::internal::CaptureStderr();
  {
    const LibraryLogs logs(Logger(make_memory_log({LogLevel::kDebug, LogFormat::kText}, out)));
    provoke_protobuf();
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);  // what grpc_init() does
    gpr_log("file.cc", 7, GPR_LOG_SEVERITY_ERROR, "out of %s", "luck");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_NE(out.find("protobuf: the library says what=\"String field 'google.protobuf.Value.string_value' contains "
                     "invalid UTF-8"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find("grpc: the library says what=\"out of luck\" at=file.cc line=7\n"), std::string::npos) << out;
}

TEST(LibraryLogs, NameWhoseBytesTheyWere) {
  std::string out;
  const LibraryLogs logs(Logger(make_memory_log({LogLevel::kDebug, LogFormat::kText}, out)));
  const std::string peer = "tcp:10.0.0.7:7420";
  const std::string app = "unix:pid 7";
  {
    const OnBehalfOf of_peer(peer);
    {
      const OnBehalfOf of_app(app);
      provoke_protobuf();
    }
    provoke_protobuf();
  }
  const std::size_t first = out.find(" from=\"unix:pid 7\"\n");
  EXPECT_NE(first, std::string::npos) << out;
  EXPECT_NE(out.find(" from=tcp:10.0.0.7:7420\n", first), std::string::npos) << out;
  out.clear();
  provoke_protobuf();
  EXPECT_EQ(out.find("from="), std::string::npos) << out;
}

TEST(LibraryLogs, RestoreWhatTheLibrariesDidBefore) {
  std::string out;
  {
    const LibraryLogs logs(Logger(make_memory_log({LogLevel::kDebug, LogFormat::kText}, out)));
  }
  testing::internal::CaptureStderr();
  provoke_protobuf();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("invalid UTF-8"), std::string::npos);
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace kaido::daemon
