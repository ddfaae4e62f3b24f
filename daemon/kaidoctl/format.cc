#include "daemon/kaidoctl/format.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "daemon/kaidoctl/enum_words.h"

namespace kaido::daemon {
namespace {

Cell state_cell(v1::NodeState state) {
  switch (state) {
    case v1::NODE_STATE_STARTING:
      return {"starting", Colour::kYellow};
    case v1::NODE_STATE_ALIVE:
      return {"alive", Colour::kGreen};
    case v1::NODE_STATE_DRAINING:
      return {"draining", Colour::kYellow};
    case v1::NODE_STATE_LOST:
      return {"lost", Colour::kRed};
    default:
      return {"unknown", Colour::kDim};
  }
}

Cell state_cell(v1::TaskState state) {
  switch (state) {
    case v1::TASK_STATE_WAITING:
      return {"waiting", Colour::kYellow};
    case v1::TASK_STATE_SENT:
      return {"sent", Colour::kNone};
    case v1::TASK_STATE_QUEUED:
      return {"queued", Colour::kNone};
    case v1::TASK_STATE_RUNNING:
      return {"running", Colour::kGreen};
    case v1::TASK_STATE_CANCELLING:
      return {"cancelling", Colour::kYellow};
    default:
      return {"unknown", Colour::kDim};
  }
}

std::string join(const std::vector<std::string>& parts) {
  std::string result;
  for (const auto& part : parts) {
    result += (result.empty() ? "" : ",") + part;
  }
  return result;
}

std::string tags_of(const v1::NodeSummary& node) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : std::map<std::string, std::string>(node.tags().begin(), node.tags().end())) {
    parts.push_back(key + "=" + value);
  }
  return join(parts);
}

/// As kubectl writes them: key=value:effect, or key:effect.
std::string taints_of(const v1::NodeSummary& node) {
  std::vector<std::string> parts;
  for (const auto& taint : node.taints()) {
    parts.push_back(taint.key() + (taint.value().empty() ? "" : "=" + taint.value()) + ":" + taint.effect());
  }
  return join(parts);
}

std::string offers_of(const v1::FunctionSummary& function) {
  std::vector<std::string> parts;
  for (const auto& offer : function.offers()) {
    parts.push_back(offer.node() + "(" + std::to_string(offer.slots()) + ")");
  }
  return join(parts);
}

/// "name     value" lines, the values in one column.
class Facts {
 public:
  explicit Facts(Style style) : style_(style) {}
  void add(std::string_view name, std::string_view value, Colour colour = Colour::kNone) {
    constexpr std::size_t kNameWidth = 11;
    text_ += paint(name, Colour::kBold, style_) + std::string(kNameWidth - name.size(), ' ') +
             paint(value, colour, style_) + "\n";
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  const Style style_;
  std::string text_;
};

}  // namespace

std::string format_status(const v1::StatusResponse& response, Style style) {
  const auto count = [](std::uint32_t number) { return std::to_string(number); };
  const auto& load = response.load();
  const auto state = state_cell(response.state());
  Facts facts(style);
  facts.add("node", response.node_name() + " (" + response.node_id() + ")");
  for (const std::string& warning : response.warnings()) facts.add("warning", warning, Colour::kYellow);
  facts.add("state", state.text + (response.reason().empty() ? "" : " " + response.reason()), state.colour);
  facts.add("version", response.version());
  facts.add("pid", count(response.pid()));
  facts.add("epoch", std::to_string(response.epoch()));
  facts.add("uptime", format_seconds(response.uptime_seconds()));
  facts.add("memory", format_kib(response.resident_kib()));
  facts.add("load",
            count(load.running()) + " running, " + count(load.queued()) + " queued, " + count(load.slots()) + " slots");
  facts.add("nodes", count(response.nodes_alive()) + " alive of " + count(response.nodes_known()) + " known");
  facts.add("apps", count(response.apps()));
  facts.add("functions", count(response.functions()));
  facts.add("tasks", count(response.tasks_pending()) + " pending");
  auto text = facts.take();
  if (response.counters().empty()) {
    return text;
  }
  Table table({"COUNTER", "VALUE"});
  for (const auto& [name, value] :
       std::map<std::string, double>(response.counters().begin(), response.counters().end())) {
    table.add({{name}, {format_number(value)}});
  }
  return text + "\n" + table.render(style);
}

std::string format_nodes(const v1::ListNodesResponse& response, Style style) {
  Table table({"NAME", "STATE", "ADDRESS", "LOAD", "IN-FLIGHT", "FUNCTIONS", "SEEN", "RTT", "TAGS", "TAINTS"});
  for (const auto& node : response.nodes()) {
    const auto seen = node.is_self()                 ? "self"
                      : node.has_last_seen_seconds() ? format_seconds(node.last_seen_seconds()) + " ago"
                                                     : "";  // of a node that is lost it is forgotten
    table.add({{node.name()},
               state_cell(node.state()),
               {node.address()},
               {std::to_string(node.load()) + "/" + std::to_string(node.slots())},
               {std::to_string(node.in_flight())},
               {std::to_string(node.functions())},
               {seen},
               {node.has_rtt_seconds() ? format_seconds(node.rtt_seconds()) : ""},
               {tags_of(node)},
               {taints_of(node)}});
  }
  std::string text = table.render(style);
  for (const std::string& warning : response.warnings())
    text += paint("warning: " + warning, Colour::kYellow, style) + "\n";
  return text;
}

std::string format_functions(const v1::ListFunctionsResponse& response, Style style) {
  if (response.functions().empty()) {
    return "no function is offered; is a worker app connected to some node?\n";
  }
  Table table({"NAME", "SIGNATURE", "ID", "FINGERPRINT", "SLOTS", "NODES"});
  for (const auto& function : response.functions()) {
    const bool is_one = function.versions() < 2;
    table.add({{function.name()},
               {is_one ? function.signature() : std::to_string(function.versions()) + " versions"},
               {function.id()},
               {is_one ? function.fingerprint() : ""},
               {std::to_string(function.slots())},
               {offers_of(function)}});
  }
  return table.render(style);
}

std::string format_tasks(const v1::ListTasksResponse& response, Style style) {
  if (response.tasks().empty()) {
    return "no tasks\n";
  }
  Table table({"TASK", "FUNCTION", "STATE", "NODE", "ATTEMPT", "AGE", "DEADLINE", "ORIGIN", "APP"});
  for (const auto& task : response.tasks()) {
    table.add({{task.task_id()},
               {task.function()},
               state_cell(task.state()),
               {task.node()},
               {std::to_string(task.attempt())},
               {format_seconds(task.age_seconds())},
               {task.has_deadline_seconds() ? "in " + format_seconds(task.deadline_seconds()) : ""},
               {task.origin()},
               {task.app()}});
  }
  auto text = table.render(style);
  if (response.truncated()) {
    text += "only the oldest " + std::to_string(response.tasks_size()) + " of " + std::to_string(response.total()) +
            " tasks are shown; see --limit\n";
  }
  return text;
}

std::string format_pings(const std::vector<PingOutcome>& pings, Style style) {
  Table table({"NODE", "ADDRESS", "RTT", "RESULT"});
  for (const auto& ping : pings) {
    const bool ok = ping.error.empty();
    table.add({{ping.node},
               {ping.address},
               {ok ? format_seconds(ping.rtt_seconds) : ""},
               {ok ? "ok" : ping.error, ok ? Colour::kGreen : Colour::kRed}});
  }
  return table.render(style);
}

std::string format_failure(std::string_view function, const v1::CallResponse& response) {
  std::string outcome = response.outcome();
  std::replace(outcome.begin(), outcome.end(), '_', ' ');
  // Messages and reasons may begin with the outcome's words and the function, which are said once.
  const auto shortened = [&](std::string_view text) {
    if (text.starts_with(outcome + " of " + std::string(function) + ": ")) {
      text.remove_prefix(outcome.size() + function.size() + 6);
    } else if (text.starts_with(outcome + ": ")) {
      text.remove_prefix(outcome.size() + 2);
    }
    return std::string(text);
  };
  std::string text = std::string(function) + ": " + outcome + ": " + shortened(response.message());
  if (!response.exception_type().empty()) text += " (" + response.exception_type() + ")";
  if (!response.node().empty()) text += ", on " + response.node() + ", attempt " + std::to_string(response.attempt());
  text = paint(text, Colour::kNone, {});
  for (const auto& reason : response.reasons()) {
    const std::string_view why = reason.reason() == response.message() ? "the same" : std::string_view(reason.reason());
    text += "\n  " + paint(reason.node() + ": " + shortened(why), Colour::kNone, {});
  }
  return text;
}

base::StatusOr<std::string> pings_to_json(const std::vector<PingOutcome>& pings) {
  google::protobuf::Struct document;
  auto& list = *(*document.mutable_fields())["pings"].mutable_list_value();
  for (const auto& ping : pings) {
    auto& fields = *list.add_values()->mutable_struct_value()->mutable_fields();
    fields["node"].set_string_value(ping.node);
    if (ping.error.empty()) {
      fields["address"].set_string_value(ping.address);
      fields["rtt_seconds"].set_number_value(ping.rtt_seconds);
    } else {
      fields["error"].set_string_value(ping.error);
    }
  }
  return to_json(document);
}

base::StatusOr<std::string> to_json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const WordedMessage worded(message);
  if (const auto status = google::protobuf::util::MessageToJsonString(*worded, &text, options); !status.ok()) {
    return absl::InternalError("cannot write the answer as JSON: " + status.ToString());
  }
  return text;
}

std::string explain_unreachable(std::string_view path, int error) {
  const std::string where(path);
  switch (error) {
    case EAGAIN:
      return "the daemon at " + where +
             " did not answer in time: it takes no connections\n  it may be overloaded or stopped; a longer --timeout "
             "may help";
    case ENOTSOCK:
      return where +
             " is no socket\n  name the daemon's admin socket with --socket PATH or KAIDO_ADMIN_SOCKET; kaidod "
             "--check tells whether listen.admin_socket is fine";
    case ENOENT:
    case ENOTDIR:
      return "no daemon listens at " + where +
             ": there is no such socket\n  is kaidod running? try: systemctl status kaidod\n  if it runs with another "
             "admin socket, name it with --socket PATH or KAIDO_ADMIN_SOCKET";
    case ECONNREFUSED:
      return "no daemon listens at " + where +
             ": the socket is left over from one that has ended\n  is kaidod running? try: systemctl status kaidod";
    case EACCES:
    case EPERM:
      return "not allowed to use " + where + "\n  run kaidoctl as the daemon's user or as root, for instance with sudo";
    default:
      return "cannot connect to " + where + ": " + std::strerror(error) +
             "\n  name the daemon's admin socket with --socket PATH or KAIDO_ADMIN_SOCKET";
  }
}

std::string explain_refused(std::string_view path, std::string_view reason) {
  return "the daemon at " + std::string(path) + " closed the connection: " + std::string(reason) +
         "\n  it answers to its own user and to root only (try sudo), and to a limited number of connections at a time";
}

}  // namespace kaido::daemon
