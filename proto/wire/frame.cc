#include "proto/wire/frame.h"

#include <bit>
#include <cstring>

namespace kaido::wire {
namespace {

// One memcpy per field is what compilers turn into one move; the daemon runs on little-endian hosts only, which the
// assertion turns from a habit into a rule.
static_assert(std::endian::native == std::endian::little, "the header is copied as it lies in memory");

template <class T>
void put(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

template <class T>
T get(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

constexpr std::array<std::string_view, 18> kNames = {
    "unknown",  "hello",  "welcome",   "register", "registered", "prepare", "prepared", "call",
    "started",  "result", "cancel",    "redirect", "credit",     "node info", "load",   "ping",
    "pong",     "goodbye",
};

}  // namespace

std::string_view name(FrameKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() ? kNames[index] : kNames[0];
}

bool is_known(FrameKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index != 0 && index < kNames.size();
}

void encode(const FrameHeader& header, std::span<std::byte, kHeaderBytes> out) {
  std::byte* const at = out.data();
  put(at, header.length);
  put(at + 4, header.kind);
  put(at + 5, header.flags);
  put(at + 6, header.attempt);
  put(at + 8, header.metadata_length);
  put(at + 12, header.template_or_status);
  put(at + 16, header.call_id);
  put(at + 24, header.budget_ns);
  put(at + 32, header.trace.trace_id);
  put(at + 48, header.trace.span_id);
  put(at + 56, header.aux);
}

FrameHeader decode(std::span<const std::byte, kHeaderBytes> in) {
  const std::byte* const at = in.data();
  FrameHeader header;
  header.length = get<std::uint32_t>(at);
  header.kind = get<FrameKind>(at + 4);
  header.flags = get<std::uint8_t>(at + 5);
  header.attempt = get<std::uint16_t>(at + 6);
  header.metadata_length = get<std::uint32_t>(at + 8);
  header.template_or_status = get<std::uint32_t>(at + 12);
  header.call_id = get<std::uint64_t>(at + 16);
  header.budget_ns = get<std::uint64_t>(at + 24);
  header.trace.trace_id = get<std::array<std::uint8_t, 16>>(at + 32);
  header.trace.span_id = get<std::uint64_t>(at + 48);
  header.aux = get<std::uint64_t>(at + 56);
  return header;
}

}  // namespace kaido::wire
