#include "daemon/admin/http_answer.h"

#include <algorithm>
#include <cctype>
#include <exception>
#include <utility>

namespace kaido::daemon {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

HttpAnswer text(unsigned status, std::string body) { return {status, std::string(kText), std::move(body) + "\n"}; }

/// What a target asks for, without its query. Proxies write it whole ("http://node:7680/metrics"), and every server has
/// to take that (RFC 9112, 3.2.2); which of its names a node was called by is nobody's business here.
std::string_view path_of(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
    if (target.size() < scheme.size() ||
        !std::equal(scheme.begin(), scheme.end(), target.begin(), [&](char b, char a) { return same(a, b); })) {
      continue;
    }
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    break;
  }
  return target.substr(0, target.find('?'));
}

HttpAnswer readiness_answer(const HttpSources& sources) {
  const auto readiness = sources.readiness();
  if (readiness.ready) {
    return text(200, "ready");
  }
  return text(503, "not ready: " + (readiness.reason.empty() ? "no reason given" : readiness.reason));
}

}  // namespace

HttpAnswer http_answer(HttpMethod method, std::string_view target, const HttpSources& sources) try {
  const auto path = path_of(target);
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
