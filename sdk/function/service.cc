#include <kaido/service.h>

#include <stdexcept>
#include <string>

namespace kaido {
namespace detail {

using namespace std::chrono_literals;

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

Error no_service(std::string_view function) {
  constexpr auto kRetryAfter = 100ms;
  return Error(ErrorKind::kRejected, std::string(function) + ": this program serves no object of the class any more (kaido::serve)")
      .with_retry_after(kRetryAfter);
}

Error left_out_before_given(std::string_view function) {
  return Error(ErrorKind::kInvalidArgument,
               std::string(function) + ": an argument is left out before one that is given, but default arguments are taken "
                                       "from the end only: give all before the last");
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

}  // namespace kaido
