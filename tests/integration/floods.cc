#include "tests/integration/floods.h"

#include <array>
#include <fstream>
#include <utility>

#include <kaido/function.h>

#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/kaido/v1/peer.pb.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "tests/integration/functions.h"

namespace kaido::test {
namespace {

void append(wire::FrameWriter& out, wire::FrameKind kind, const google::protobuf::MessageLite& message,
            std::uint32_t id = 0) {
  wire::FrameHeader header;
  header.kind = kind;
  header.template_or_status = id;
  out.append(header, wire::as_span(message.SerializeAsString()));
}

std::size_t status_kib(pid_t process, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + ":")) return std::stoul(line.substr(key.size() + 1));
  }
  return 0;
}

}  // namespace

Stranger Stranger::app(const TestNode& node) {
  Stranger stranger(RawSocket::connect_unix(node.app_socket()));
  v1::Hello hello;
  hello.mutable_versions()->set_min(wire::kVersions.min);
  hello.mutable_versions()->set_max(wire::kVersions.max);
  hello.set_app_name("stranger");
  append(stranger.out_, wire::FrameKind::kHello, hello);
  return stranger;
}

Stranger Stranger::peer(const TestNode& node, std::uint32_t number, std::size_t info_bytes) {
  Stranger stranger(RawSocket::connect_unix(node.peer_socket()));
  std::string id(16, 'x');
  for (int i = 0; i < 4; ++i) id[static_cast<std::size_t>(i)] = static_cast<char>(number >> (8 * i));
  const std::string name = "stranger-" + std::to_string(number);
  v1::PeerHello hello;
  hello.mutable_versions()->set_min(wire::kVersions.min);
  hello.mutable_versions()->set_max(wire::kVersions.max);
  hello.set_node_id(id);
  hello.set_node_name(name);
  hello.set_epoch(1);
  hello.set_nonce(number + 1);
  hello.set_max_frame_bytes(wire::kMaxFrameBytes);
  hello.set_max_metadata_bytes(wire::kMaxMetadataBytes);
  hello.set_max_templates(16);
  append(stranger.out_, wire::FrameKind::kHello, hello);
  v1::PeerWelcome welcome;
  welcome.set_version(wire::kVersions.max);
  append(stranger.out_, wire::FrameKind::kWelcome, welcome);
  v1::NodeInfo info;
  info.set_id(id);
  info.set_name(name);
  info.set_epoch(1);
  info.set_nonce(number + 1);
  for (std::size_t i = 0; i * 1024 < info_bytes; ++i) {
    v1::Function& function = *info.add_functions();
    function.set_name("f" + std::to_string(i));
    function.set_id(i + 1);
    function.set_signature(std::string(960, 's'));
  }
  append(stranger.out_, wire::FrameKind::kNodeInfo, info);
  return stranger;
}

void Stranger::prepare_large(std::uint32_t id) {
  v1::Prepare prepare;
  prepare.mutable_function()->set_name("large");
  prepare.mutable_function()->set_id(id);
  for (int i = 0; i < 64; ++i)
    (*prepare.mutable_placement()->mutable_tags())["k" + std::to_string(i)] = std::string(500, 'v');
  for (int i = 0; i < 64; ++i) prepare.mutable_placement()->add_tolerations()->set_value(std::string(400, 'v'));
  append(out_, wire::FrameKind::kPrepare, prepare, id);
}

void Stranger::prepare_echo(std::uint32_t id, bool is_idempotent) {
  v1::Prepare prepare;
  constexpr auto facts = detail::facts_of<&echo, detail::DeclaredOf<&echo>>();
  prepare.mutable_function()->set_name(std::string(facts.name));
  prepare.mutable_function()->set_id(facts.id);
  prepare.mutable_placement()->set_idempotent(is_idempotent);
  append(out_, wire::FrameKind::kPrepare, prepare, id);
}

void Stranger::call(std::uint32_t template_id, std::uint64_t call_id, std::size_t bytes) {
  // {string a1 = 1}, with a length of three bytes.
  std::string arguments = {'\x0a', static_cast<char>(0x80 | (bytes & 0x7f)),
                           static_cast<char>(0x80 | (bytes >> 7 & 0x7f)), static_cast<char>(bytes >> 14 & 0x7f)};
  arguments.append(bytes, 'a');
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCall;
  header.template_or_status = template_id;
  header.call_id = call_id;
  out_.append(header, {}, wire::as_span(arguments));
}

void Stranger::begin_frame(std::size_t length, std::size_t sent) {
  std::string bytes(sent, 'b');
  for (std::size_t i = 0; i < 64; ++i) bytes[i] = 0;
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(length >> (8 * i));
  bytes[4] = static_cast<char>(wire::FrameKind::kPrepare);
  const std::size_t metadata = length - 64;
  for (std::size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<char>(metadata >> (8 * i));
  socket_.write(bytes);
}

bool Stranger::send() {
  std::string bytes;
  while (!out_.empty()) {
    std::array<std::span<const std::byte>, 8> segments;
    const std::size_t count = out_.gather(segments);
    const std::size_t before = bytes.size();
    for (std::size_t i = 0; i < count; ++i) bytes += wire::as_text(segments[i]);
    out_.consume(bytes.size() - before);
  }
  return socket_.write(bytes);
}

std::size_t peak_memory(pid_t process) { return status_kib(process, "VmHWM") * 1024; }
std::size_t resident_memory(pid_t process) { return status_kib(process, "VmRSS") * 1024; }

}  // namespace kaido::test
