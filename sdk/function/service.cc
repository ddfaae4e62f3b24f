#include <kaido/service.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kaido::inline abi0 {
namespace detail {

bool ServiceSlot::put(std::shared_ptr<void> object) {
  const std::lock_guard lock(mutex_);
  if (object_ != nullptr) return false;
  object_ = std::move(object);
  return true;
}

void ServiceSlot::clear() noexcept {
  std::shared_ptr<void> last;  // Declared before the lock, so that it ends outside: its destructor is the user's.
  const std::lock_guard lock(mutex_);
  last.swap(object_);
}

}  // namespace detail

Service::Service(detail::ServiceSlot& slot, std::shared_ptr<void> object, std::string_view first_method) {
  const std::string name = "the class of '" + std::string(first_method) + "'";
  if (object == nullptr) throw std::logic_error("kaido::serve: there is no object to serve for " + name);
  if (!slot.put(std::move(object))) {
    throw std::logic_error("kaido::serve: an object of " + name + " is served already: end that Service first");
  }
  slot_ = &slot;
}

}  // namespace kaido::inline abi0
