#include "tests/tokio/notify_cases.h"

namespace kaido::parity {
namespace {

KAIDO_NOTIFY_CASES(sync_notify_owned, Owned)

}  // namespace
}  // namespace kaido::parity
