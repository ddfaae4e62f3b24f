// Schemas of strangers: any bytes are parsed or refused, and two that parse can be compared.
#include <cstddef>
#include <cstdint>
#include <string>

#include "daemon/core/schema/compatibility.h"
#include "daemon/core/schema/parsed_schema.h"
#include "daemon/core/schema/schema.h"
#include "proto/base/check.h"

// The first byte says where the second schema begins, in 256ths; 255: there is none, the first is compared with itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kaido::daemon;
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t split = data[0] == 255 ? bytes.size() : bytes.size() * data[0] / 256;
  const Schema caller(bytes.substr(0, split));
  const Schema worker(data[0] == 255 ? bytes : bytes.substr(split));
  for (const Schema& schema : {caller, worker}) {
    const auto parsed = ParsedSchema::parse(schema.bytes());
    KAIDO_CHECK(parsed.ok() || !parsed.status().message().empty());
    // A copy: what is equal is not looked at.
    if (parsed.ok())
      KAIDO_CHECK(!find_incompatibility(schema, Schema(std::string(schema.bytes()) + std::string(1, '\x12') + '\0')));
  }
  const auto difference = find_incompatibility(caller, worker);
  KAIDO_CHECK(!difference || !difference->empty());
  return 0;
}
