/// What the HTTP side answers to which request: the deciding part of HttpServer, without sockets.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace kaido::daemon {

/// Whether the node wants work, and if not, why ("starting", "draining").
struct NodeReadiness {
  bool ready = false;
  std::string reason;
};

/// Where the answers come from. Called on the loop thread, once per request.
struct HttpSources {
  std::function<NodeReadiness()> readiness;
  /// The Prometheus text format, version 0.0.4.
  std::function<std::string()> metrics;
};

enum class HttpMethod { kGet, kHead, kOther };

/// Why a request is answered without looking at what it asks.
enum class HttpRefusal { kNotHttp, kHeaderTooLarge, kBody };

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type;
  std::string body;
};

/// /healthz: 200 while the loop turns. /readyz: 200, or 503 with the reason. /metrics. Else 404; another method than
/// GET and HEAD on one of these: 405. A query ("?verbose") is ignored, and so is what stands before the path of an
/// absolute target ("http://node/metrics"). A source that throws is a 500.
[[nodiscard]] HttpAnswer http_answer(HttpMethod method, std::string_view target, const HttpSources& sources);

[[nodiscard]] HttpAnswer http_refusal(HttpRefusal refusal);

}  // namespace kaido::daemon
