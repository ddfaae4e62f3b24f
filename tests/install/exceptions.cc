// Exceptions and their types cross the library's boundary: an ErrorException thrown here is known in there, and the
// BadResultAccess thrown in there is caught here. Prints 42.
#include <cstdio>
#include <stdexcept>
#include <string>

#include <kaido/kaido.h>

namespace {

kaido::Task<int> refuse() {
  throw kaido::ErrorException(kaido::Error(kaido::ErrorKind::kRejected, "full"));
  co_return 1;
}

int fail(int value) { throw std::out_of_range(std::to_string(value)); }

kaido::Task<int> answer() {
  auto refused = kaido::spawn(refuse());
  const kaido::Result<int> outcome = co_await refused;
  if (!outcome.has_error() || !outcome.error().is_rejected()) co_return 1;
  auto failing = kaido::spawn_blocking([] { return fail(7); });
  const kaido::Result<int> failed = co_await failing;
  if (!failed.has_error() || failed.error().exception_type() != "std::out_of_range") co_return 2;
  try {
    co_return outcome.value();
  } catch (const kaido::BadResultAccess&) {
    co_return 42;
  }
}

}  // namespace

int main() {
  auto runtime = kaido::Runtime::create().value();
  std::printf("%d\n", runtime.block_on(answer()));
}
