#include "tests/bench/counted/scripts.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "tests/bench/caller.h"

namespace kaido::bench {
namespace {

v1::Function counted_function() {
  v1::Function function;
  function.set_name("kaido::bench::counted");
  function.set_id(kCountedFunctionId);
  function.set_fingerprint(kCountedFingerprint);
  function.set_signature("(string) -> string");
  return function;
}

wire::FrameHeader header_of(wire::FrameKind kind, std::uint64_t id = 0, std::uint32_t template_or_status = 0) {
  wire::FrameHeader header;
  header.kind = kind;
  header.call_id = id;
  header.template_or_status = template_or_status;
  return header;
}

}  // namespace

std::span<const std::byte> counted_payload() {
  static const std::vector<std::byte> payload = [] {
    std::vector<std::byte> bytes(kPayloadBytes, std::byte{'x'});
    bytes[0] = std::byte{0x0a};  // Field 1, length-delimited.
    bytes[1] = std::byte{kTextBytes};
    return bytes;
  }();
  return payload;
}

void AppScript::hello() {
  v1::Hello hello;
  hello.mutable_versions()->set_min(wire::kVersions.min);
  hello.mutable_versions()->set_max(wire::kVersions.max);
  hello.set_app_name("counted");
  writer_.append(header_of(wire::FrameKind::kHello), wire::as_span(hello.SerializeAsString()));
}

void AppScript::offer(std::uint32_t slots) {
  v1::Register offered;
  *offered.add_functions() = counted_function();
  offered.set_slots(slots);
  writer_.append(header_of(wire::FrameKind::kRegister), wire::as_span(offered.SerializeAsString()));
}

void AppScript::prepare() {
  v1::Prepare prepare;
  *prepare.mutable_function() = counted_function();
  writer_.append(header_of(wire::FrameKind::kPrepare, 0, 1), wire::as_span(prepare.SerializeAsString()));
}

void AppScript::call(std::uint64_t id) {
  writer_.append(header_of(wire::FrameKind::kCall, id, 1), {}, counted_payload());
}

void Script::result(std::uint64_t id) {
  writer_.append(header_of(wire::FrameKind::kResult, id), {}, counted_payload());
}

void NodeScript::welcome(std::uint32_t credits) {
  v1::Welcome welcome;
  welcome.set_version(wire::kVersions.max);
  welcome.set_node_id(std::string(16, 'n'));
  welcome.set_node_name("scripted");
  welcome.set_node_epoch(1);
  welcome.set_session(1);
  welcome.set_credits(credits);
  welcome.set_max_frame_bytes(wire::kMaxFrameBytes);
  writer_.append(header_of(wire::FrameKind::kWelcome), wire::as_span(welcome.SerializeAsString()));
}

void NodeScript::registered() { writer_.append(header_of(wire::FrameKind::kRegistered)); }

void NodeScript::dispatch(std::uint64_t id) {
  v1::CallInfo info;
  info.set_origin(std::string(16, 'n'));
  info.set_epoch(1);
  info.set_sequence(id);
  wire::FrameHeader header = header_of(wire::FrameKind::kCall, id);
  header.set_attempt(1);
  writer_.append(header, wire::as_span(info.SerializeAsString()), counted_payload());
}

void FrameLog::read(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto space = reader_.writable();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    reader_.commit(count);
    bytes = bytes.subspan(count);
    while (const auto frame = reader_.next()) {
      const wire::FrameHeader& header = frame->header;
      if (header.kind == wire::FrameKind::kResult && header.template_or_status != 0) {
        throw std::runtime_error("a call failed: " + std::string(wire::as_text(frame->metadata)));
      }
      if (header.kind == wire::FrameKind::kGoodbye) goodbye_ = wire::as_text(frame->metadata);
      frames_.emplace_back(header.kind, header.call_id);
    }
  }
}

std::vector<std::uint64_t> FrameLog::take(wire::FrameKind kind) {
  std::vector<std::uint64_t> ids;
  for (const auto& [its_kind, id] : frames_) {
    if (its_kind == kind) ids.push_back(id);
  }
  std::erase_if(frames_, [kind](const auto& frame) { return frame.first == kind; });
  return ids;
}

}  // namespace kaido::bench
