#include "daemon/admin/http_answer.h"

#include <exception>
#include <utility>

namespace kaido::daemon {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

HttpAnswer text(unsigned status, std::string body) { return {status, std::string(kText), std::move(body) + "\n"}; }

HttpAnswer readiness_answer(const HttpSources& sources) {
  const auto readiness = sources.readiness();
  if (readiness.ready) {
    return text(200, "ready");
  }
  return text(503, "not ready: " + (readiness.reason.empty() ? "no reason given" : readiness.reason));
}

}  // namespace

HttpAnswer http_answer(HttpMethod method, std::string_view target, const HttpSources& sources) try {
  const auto path = target.substr(0, target.find('?'));
  if (path != "/healthz" && path != "/readyz" && path != "/metrics") {
    return text(404, "not found; there are /healthz, /readyz and /metrics");
  }
  if (method == HttpMethod::kOther) {
    return text(405, "only GET and HEAD");
  }
  if (path == "/metrics") {
    return {200, std::string(kPrometheusText), sources.metrics()};
  }
  if (path == "/readyz") {
    return readiness_answer(sources);
  }
  return text(200, "ok");  // the loop turns: it has just said so
} catch (const std::exception& error) {
  return text(500, std::string("internal error: ") + error.what());
}

HttpAnswer http_refusal(HttpRefusal refusal) {
  switch (refusal) {
    case HttpRefusal::kHeaderTooLarge:
      return text(431, "the header is too large");
    case HttpRefusal::kBody:
      return text(413, "a request may not have a body here");
    case HttpRefusal::kNotHttp:
      break;
  }
  return text(400, "this is not HTTP");
}

}  // namespace kaido::daemon
