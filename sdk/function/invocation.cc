#include <kaido/detail/invocation.h>

#include <chrono>
#include <exception>
#include <string>
#include <string_view>

#include <kaido/codec.h>
#include <kaido/error.h>

namespace kaido::inline abi0::detail {

using namespace std::chrono_literals;

void fail_without_service(Invocation& call, std::string_view function) {
  constexpr auto kRetryAfter = 100ms;
  call.error = Error(ErrorKind::kRejected,
                     std::string(function) + ": this program serves no object of the class any more (kaido::serve)")
                   .with_retry_after(kRetryAfter);
}

void fail_malformed(Invocation& call, std::string_view function, const DecodeFailure& failure) {
  call.error = Error(ErrorKind::kInvalidArgument, explain(function, failure, "parameter"));
}

void fail_left_out_before_given(Invocation& call, std::string_view function) {
  call.error = Error(ErrorKind::kInvalidArgument,
                     std::string(function) +
                         ": an argument is left out before one that is given, but default arguments are "
                         "taken from the end only: give all before the last");
}

namespace {

std::string too_deep(std::string_view what) {
  return "the " + std::string(what) + " contain more than " + std::to_string(kMaxMessageDepth) +
         " messages within each other, more than receivers read: send what is so deep as a list";
}

}  // namespace

void fail_result_too_deep(Invocation& call) {
  call.error = Error(ErrorKind::kInvalidArgument, too_deep("parts of the result"));
}

Error arguments_too_deep(std::string_view function) {
  return Error(ErrorKind::kInvalidArgument, std::string(function) + ": " + too_deep("arguments"));
}

void fail_by_exception(Invocation& call) noexcept { call.error = Error::from_exception(std::current_exception()); }

}  // namespace kaido::inline abi0::detail
