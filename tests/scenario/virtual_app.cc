#include "tests/scenario/virtual_app.h"

#include <utility>

#include "daemon/core/session/messages.h"
#include "proto/base/check.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/wire/handshake.h"
#include "proto/wire/written.h"

namespace kaido::daemon::testing {
namespace {

wire::FrameHeader header_of(wire::FrameKind kind, std::uint64_t call_id = 0) {
  wire::FrameHeader header;
  header.kind = kind;
  header.call_id = call_id;
  return header;
}

}  // namespace

void VirtualApp::send(wire::FrameHeader header, std::string_view metadata, std::string_view payload) {
  writer_.append(header, wire::as_span(metadata), wire::as_span(payload));
}

std::string VirtualApp::take_output() { return wire::take_written(writer_); }

void VirtualApp::hello(const std::string& name) {
  v1::Hello hello;
  hello.mutable_versions()->set_min(wire::kVersions.min);
  hello.mutable_versions()->set_max(wire::kVersions.max);
  hello.mutable_versions()->set_features(wire::kFeatures);
  hello.set_app_name(name);
  send(header_of(wire::FrameKind::kHello), hello.SerializeAsString(), {});
}

void VirtualApp::offer(const std::vector<FunctionInfo>& functions, std::uint32_t slots) {
  v1::Register message;
  message.set_slots(slots);
  for (const FunctionInfo& function : functions) {
    v1::Function& added = *message.add_functions();
    added.set_name(function.name);
    added.set_id(function.id.value);
    added.set_fingerprint(function.fingerprint);
    added.set_signature(function.signature);
    added.set_schema(std::string(function.schema.bytes()));
  }
  send(header_of(wire::FrameKind::kRegister), message.SerializeAsString(), {});
}

std::uint64_t VirtualApp::call(const PlacementSpec& spec, base::Duration budget, std::uint64_t span,
                               std::string_view arguments) {
  const auto [known, is_new] = templates_.try_emplace(spec, static_cast<std::uint32_t>(templates_.size() + 1));
  if (is_new) {
    wire::FrameHeader prepare = header_of(wire::FrameKind::kPrepare);
    prepare.template_or_status = known->second;
    send(prepare, to_message(spec).SerializeAsString(), {});
  }
  wire::FrameHeader header = header_of(wire::FrameKind::kCall, next_call_++);
  header.template_or_status = known->second;
  header.budget_ns = static_cast<std::uint64_t>(budget.count());
  header.trace.span_id = span;
  send(header, {}, arguments);
  return header.call_id;
}

void VirtualApp::cancel(std::uint64_t call_id) { send(header_of(wire::FrameKind::kCancel, call_id), {}, {}); }

void VirtualApp::result(std::uint64_t call, wire::Outcome outcome, std::string_view value_or_message) {
  wire::FrameHeader header = header_of(wire::FrameKind::kResult, call);
  header.template_or_status = static_cast<std::uint32_t>(outcome);
  if (outcome == wire::Outcome::kSucceeded) return send(header, {}, value_or_message);
  const TaskError error{.message = std::string(value_or_message)};
  send(header, to_message(error).SerializeAsString(), {});
}

void VirtualApp::handle(const wire::FrameView& frame) {
  switch (frame.header.kind) {
    case wire::FrameKind::kResult: {
      const auto outcome = wire::outcome_from(frame.header.template_or_status);
      KAIDO_CHECK(outcome.has_value());
      if (*outcome != wire::Outcome::kSucceeded) {
        return events_.on_result(frame.header.call_id, to_failure(frame, outcome));
      }
      return events_.on_result(frame.header.call_id, {*outcome, nullptr, frame.payload});
    }
    case wire::FrameKind::kCall:
      return events_.on_call(frame.header, std::string(wire::as_text(frame.payload.bytes())));
    case wire::FrameKind::kCancel:
      return events_.on_cancel(frame.header.call_id);
    case wire::FrameKind::kPing:
      return send(header_of(wire::FrameKind::kPong, frame.header.call_id), {}, {});
    case wire::FrameKind::kGoodbye: {
      const auto goodbye = parse_metadata<v1::Goodbye>(frame);
      return events_.on_goodbye(goodbye.ok() ? goodbye->reason() : std::string());
    }
    default:
      return;  // welcome, registered: nothing waits for them; prepared: its calls say the same
  }
}

}  // namespace kaido::daemon::testing
