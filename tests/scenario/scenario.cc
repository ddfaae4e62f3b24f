#include "tests/scenario/scenario.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>
#include <tuple>

#include "daemon/core/schema/schema_text.h"
#include "proto/base/ids.h"

namespace kaido::daemon::testing {
namespace {

using Words = std::vector<std::string>;

// Fixed, so that a script tells the same story each time. A script never depends on which of two equal nodes is chosen.
constexpr std::uint64_t kSeed = 1;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "250ms" or "5s".
std::optional<base::Duration> duration(std::string_view text) {
  if (text.ends_with("ms")) {
    const auto count = number(text.substr(0, text.size() - 2));
    if (count) return std::chrono::milliseconds(*count);
  } else if (text.ends_with("s")) {
    const auto count = number(text.substr(0, text.size() - 1));
    if (count) return std::chrono::seconds(*count);
  }
  return std::nullopt;
}

std::optional<wire::Outcome> outcome(const std::string& label) {
  for (std::uint32_t i = 0; i < wire::kOutcomeCount; ++i) {
    if (wire::label(static_cast<wire::Outcome>(i)) == label) return static_cast<wire::Outcome>(i);
  }
  return std::nullopt;
}

std::optional<wire::FrameKind> kind(const std::string& word) {
  using Kind = wire::FrameKind;
  for (const Kind kind :
       {Kind::kCall, Kind::kQueued, Kind::kStarted, Kind::kResult, Kind::kRedirect, Kind::kCancel, Kind::kInquire}) {
    if (wire::name(kind) == word) return kind;
  }
  return std::nullopt;
}

// "key=value" → both; a word without "=" has an empty value.
std::pair<std::string, std::string> pair(const std::string& word) {
  const auto at = word.find('=');
  if (at == std::string::npos) return {word, ""};
  return {word.substr(0, at), word.substr(at + 1)};
}

// "zone:north" → both.
Tag tag(const std::string& text) {
  const auto at = text.find(':');
  return {text.substr(0, at), at == std::string::npos ? "" : text.substr(at + 1)};
}

FunctionInfo function(const std::string& text) {
  const Tag named = tag(text);  // "f" or "f:2", its fingerprint
  const auto fingerprint = static_cast<std::uint64_t>(number(named.value).value_or(1));
  return {.id = base::function_id_of(named.key), .name = named.key, .fingerprint = fingerprint, .signature = ""};
}

std::string rest(const Words& words, std::size_t from) {
  std::string text;
  for (std::size_t i = from; i < words.size(); ++i) text += (i == from ? "" : " ") + words[i];
  return text;
}

}  // namespace

bool Scenario::fail(std::string why) {
  error_ += why;
  return false;
}

VirtualCluster& Scenario::cluster() {
  if (!cluster_) {
    cluster_.emplace(options_, kSeed);
    cluster_->fate = [this](const Message& message) {
      const auto it = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& rule) {
        return rule.from == message.from && rule.to == message.to && rule.kind == message.kind;
      });
      if (it == rules_.end()) return Fate::kDeliver;
      const Fate fate = it->fate;
      rules_.erase(it);
      return fate;
    };
  }
  return *cluster_;
}

std::optional<std::size_t> Scenario::node(const std::string& name) {
  const auto it = nodes_.find(name);
  if (it != nodes_.end()) return it->second;
  fail("there is no node " + name);
  return std::nullopt;
}

bool Scenario::run(const std::string& script) {
  std::istringstream lines(script);
  std::string line;
  for (int count = 1; std::getline(lines, line); ++count) {
    line = line.substr(0, line.find('#'));
    std::istringstream stream(line);
    Words words;
    for (std::string word; stream >> word;) words.push_back(word);
    if (words.empty()) continue;
    error_ = "line " + std::to_string(count) + ": " + rest(words, 0) + ": ";
    if (!run_line(words)) return false;
  }
  error_ = "at the end: ";
  if (!check_end()) return false;
  error_.clear();
  return true;
}

bool Scenario::run_line(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "limit" || verb == "version" || verb == "node" || verb == "worker") return set_up(words);
  if (verb == "submit" || verb == "cancel" || verb == "close" || verb == "finish" || verb == "fail" || verb == "open") {
    return act_app(words);
  }
  if (verb == "expect") return expect(words);
  return act_world(words);
}

// ---------------------------------------------------------------- set up

bool Scenario::set_up(const Words& words) {
  if (words.size() < 2) return fail("too few words");
  if (words[0] == "limit") {
    if (cluster_) return fail("limits come before nodes");
    const auto [name, text] = pair(words[1]);
    const auto value = number(text);
    if (!value) return fail("not a number");
    if (name == "queue_max")
      options_.executor.queue_max = static_cast<std::uint32_t>(*value);
    else if (name == "slots_max")
      options_.executor.slots_max = static_cast<std::uint32_t>(*value);
    else if (name == "instant_announcements")
      options_.instant_announcements = *value != 0;
    else if (name == "tasks_max")
      options_.ledger.tasks_max = static_cast<std::uint32_t>(*value);
    else if (name == "redirects_max")
      options_.ledger.redirects_max = static_cast<std::uint32_t>(*value);
    else
      return fail("unknown limit");
    return true;
  }
  if (words[0] == "version") {
    const std::string fields = rest(words, 2);
    versions_[words[1]] = {"(" + fields + ")", schema_of(fields)};
    return true;
  }
  if (words[0] == "node") return add_node(words);
  return add_worker(words);
}

bool Scenario::add_node(const Words& words) {
  NodeInfo info;
  info.name = words[1];
  std::vector<Tag> believed;
  for (std::size_t i = 2; i < words.size(); ++i) {
    const auto [name, value] = pair(words[i]);
    if (name != "tag" && name != "says") return fail("unknown word " + words[i]);
    (name == "tag" ? info.tags : believed).push_back(tag(value));
  }
  nodes_[words[1]] = cluster().add_node(std::move(info));
  if (!believed.empty()) cluster().pretend(nodes_[words[1]], std::move(believed));
  return true;
}

FunctionInfo Scenario::function_of(const std::string& word) const {
  FunctionInfo info = function(word);
  const auto version = versions_.find(word);
  if (version != versions_.end()) std::tie(info.signature, info.schema) = version->second;
  return info;
}

bool Scenario::add_worker(const Words& words) {
  if (words.size() < 4) return fail("worker NODE NAME slots=N FUNCTION...");
  const auto at = node(words[1]);
  const auto slots = number(pair(words[3]).second);
  if (!at || !slots) return fail("slots=N is missing");
  std::vector<FunctionInfo> functions;
  for (std::size_t i = 4; i < words.size(); ++i) functions.push_back(function_of(words[i]));
  const auto session = static_cast<std::uint32_t>(100 + sessions_.size());
  sessions_[words[2]] = session;
  cluster().open_worker(*at, session, static_cast<std::uint32_t>(*slots), std::move(functions));
  return true;
}

// ---------------------------------------------------------------- apps

bool Scenario::submit(const Words& words) {
  if (words.size() < 4) return fail("submit NODE TASK FUNCTION [option]...");
  const auto at = node(words[1]);
  if (!at) return false;
  PlacementSpec spec;
  const FunctionInfo called = function_of(words[3]);
  spec.function = called.id;
  spec.function_name = called.name;
  if (words[3].find(':') != std::string::npos) spec.fingerprint = called.fingerprint;
  spec.signature = called.signature;
  spec.schema = called.schema;
  base::Duration budget{0};
  for (std::size_t i = 4; i < words.size(); ++i) {
    const auto [name, value] = pair(words[i]);
    if (name == "timeout" && duration(value))
      budget = *duration(value);
    else if (name == "wait" && duration(value))
      spec.wait = *duration(value);
    else if (name == "attempts" && number(value))
      spec.max_attempts = static_cast<std::uint32_t>(*number(value));
    else if (name == "priority" && number(value))
      spec.priority = static_cast<std::int32_t>(*number(value));
    else if (name == "idempotent")
      spec.idempotent = true;
    else if (name == "on")
      spec.node_name = value;
    else if (name == "tag")
      spec.tags.push_back(tag(value));
    else
      return fail("cannot read " + words[i]);
  }
  tasks_.push_back({words[2], *at});
  cluster().submit(*at, words[2], std::move(spec), budget);
  return true;
}

bool Scenario::act_app(const Words& words) {
  if (words[0] == "submit") return submit(words);
  if (words.size() < 2) return fail("too few words");
  const auto at = node(words[1]);
  if (!at) return false;
  if (words[0] == "close") {
    for (Task& task : tasks_) task.may_stay_open |= task.node == *at;
    return cluster().close_session(*at), true;
  }
  if (words.size() < 3) return fail("too few words");
  if (words[0] == "cancel") return cluster().cancel(*at, words[2]) || fail("there is nothing to cancel");
  if (words[0] == "open") {
    const auto it = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& task) { return task.name == words[2]; });
    if (it == tasks_.end()) return fail("there is no such task");
    it->may_stay_open = true;
    return true;
  }
  if (words[0] == "finish") {
    return cluster().answer(*at, words[2], wire::Outcome::kSucceeded, rest(words, 3)) || fail("nobody runs it there");
  }
  const auto how = words.size() > 3 ? outcome(words[3]) : std::nullopt;
  if (!how) return fail("fail NODE TASK OUTCOME [message]");
  return cluster().answer(*at, words[2], *how, rest(words, 4)) || fail("nobody runs it there");
}

// ---------------------------------------------------------------- the world

bool Scenario::add_rule(const Words& words) {
  if (words.size() != 4) return fail(words[0] + " FROM TO KIND");
  const auto from = node(words[1]);
  const auto to = node(words[2]);
  const auto what = kind(words[3]);
  if (!from || !to || !what) return fail("unknown kind of message");
  const Fate fate = words[0] == "drop" ? Fate::kDrop : words[0] == "duplicate" ? Fate::kDuplicate : Fate::kHold;
  rules_.push_back({fate, *from, *to, *what});
  return true;
}

bool Scenario::act_world(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "release") return cluster().release_held(), true;
  if (words.size() < 2) return fail("too few words, or an unknown one");
  if (verb == "advance") {
    const auto time = duration(words[1]);
    return time ? (cluster().advance(*time), true) : fail("not a duration");
  }
  if (verb == "drop" || verb == "duplicate" || verb == "hold") return add_rule(words);
  const auto at = node(words[1]);
  if (!at) return false;
  if (verb == "tell") return cluster().tell(*at), true;
  if (verb == "crash") return cluster().crash(*at), true;
  if (verb == "restart") return cluster().restart(*at), true;
  if (words.size() < 3) return fail("too few words, or an unknown one");
  if (verb == "lose_worker") return cluster().lose_worker(*at, sessions_[words[2]]), true;
  if (verb == "drain") {
    const auto time = duration(words[2]);
    return time ? (cluster().drain(*at, *time), true) : fail("not a duration");
  }
  const auto other = node(words[2]);
  if (!other) return false;
  if (verb == "lost") return cluster().declare_lost(*at, *other), true;
  if (verb == "break") return cluster().break_links(*at, *other), true;
  if (verb == "replace") return cluster().replace_link(*at, *other) || fail("there is no link");
  if (verb == "cut") return cluster().cut(*at, *other), true;
  if (verb == "join") return cluster().join(*at, *other), true;
  return fail("unknown word");
}

// ---------------------------------------------------------------- expectations

const Delivery* Scenario::delivery(std::size_t node, const std::string& task) {
  const auto& all = cluster().deliveries(node, task);
  if (all.size() == 1) return &all.front();
  fail(all.empty() ? "it is still open" : "it was delivered " + std::to_string(all.size()) + " times");
  return nullptr;
}

bool Scenario::expect_delivered(const Words& words) {
  const auto at = node(words[2]);
  const auto wanted = words.size() > 4 ? outcome(words[4]) : std::nullopt;
  if (!at || !wanted) return fail("expect delivered NODE TASK OUTCOME [value]");
  const Delivery* delivered = delivery(*at, words[3]);
  if (delivered == nullptr) return false;
  if (delivered->outcome != *wanted) {
    return fail("it is " + std::string(wire::label(delivered->outcome)) + " (" + delivered->error.message + ")");
  }
  return words.size() == 5 || rest(words, 5) == delivered->value || fail("its value is " + delivered->value);
}

// Looks in all that the error says.
bool Scenario::expect_error(const Words& words) {
  const auto at = node(words[2]);
  const Delivery* delivered = at && words.size() > 4 ? delivery(*at, words[3]) : nullptr;
  if (delivered == nullptr) return false;
  const TaskError& error = delivered->error;
  std::string all = error.message + "; node=" + error.node + " attempt=" + std::to_string(error.attempt) +
                    " retry_after_ms=" +
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(error.retry_after).count());
  for (const NodeReason& reason : error.reasons) all += "; " + reason.node + ": " + reason.reason;
  return all.find(rest(words, 4)) != std::string::npos || fail("it says: " + all);
}

bool Scenario::expect_counter(const Words& words) {
  const auto at = node(words[2]);
  const auto wanted = words.size() == 5 ? number(words[4]) : std::nullopt;
  if (!at || !wanted) return fail("expect counter NODE NAME N");
  const LedgerCounters& origin = cluster().ledger(*at).counters();
  const ExecutorCounters& executor = cluster().executor(*at).counters();
  const std::map<std::string, std::uint64_t> counters = {
      {"late_results_dropped", origin.late_results_dropped},
      {"late_redirects_dropped", origin.late_redirects_dropped},
      {"retries", origin.retries},
      {"redirects", origin.redirects},
      {"attempts_sent", origin.attempts_sent},
      {"waited", origin.waited},
      {"abandoned", origin.abandoned},
      {"duplicates", executor.duplicates},
      {"stale_dropped", executor.stale_dropped},
      {"worker_late_results", executor.late_results_dropped},
      {"cancelled", executor.cancelled},
      {"links_replaced", cluster().machine(*at).peers().counters().links_replaced},
      {"nodes_lost", cluster().machine(*at).peers().counters().nodes_lost},
      {"tasks", cluster().ledger(*at).task_count()},
      {"waiting", cluster().ledger(*at).waiting_count()},
      {"queued", cluster().executor(*at).queued_count()},
      {"busy", cluster().executor(*at).load().busy},
  };
  const auto it = counters.find(words[3]);
  if (it == counters.end()) return fail("unknown counter");
  return it->second == static_cast<std::uint64_t>(*wanted) || fail("it is " + std::to_string(it->second));
}

bool Scenario::expect(const Words& words) {
  ++expectations_;
  if (words.size() < 4) return fail("too few words");
  if (words[1] == "delivered") return expect_delivered(words);
  if (words[1] == "error") return expect_error(words);
  if (words[1] == "counter") return expect_counter(words);
  if (words[1] == "executions") {
    const int count = cluster().executions(words[2]);
    return number(words[3]) == count || fail("it was started " + std::to_string(count) + " times");
  }
  const auto at = node(words[2]);
  if (!at) return false;
  if (words[1] == "open") return cluster().deliveries(*at, words[3]).empty() || fail("it was delivered");
  const Running* running = cluster().running(*at, words[3]);
  if (words[1] == "idle") return running == nullptr || fail("it runs there");
  if (words[1] == "running") {
    if (running == nullptr) return fail("it does not run there");
    return words.size() == 4 || number(words[4]) == running->attempt ||
           fail("it is attempt " + std::to_string(running->attempt));
  }
  if (words[1] == "stopping") return (running != nullptr && running->cancel_seen) || fail("nobody told its worker");
  return fail("unknown word");
}

// What holds for every story: nothing open is forgotten, nothing is delivered twice.
bool Scenario::check_end() {
  if (expectations_ == 0) return fail("the script expects nothing");
  if (!rules_.empty()) return fail("a message that was to be dropped, held or doubled never came");
  if (!cluster().closed_apps().empty()) return fail("a node ended an app's connection: " + cluster().closed_apps()[0]);
  for (const Task& task : tasks_) {
    const std::size_t count = cluster().deliveries(task.node, task.name).size();
    if (count > 1) return fail(task.name + " was delivered " + std::to_string(count) + " times");
    if (count == 0 && !task.may_stay_open) return fail(task.name + " is still open");
  }
  return true;
}

}  // namespace kaido::daemon::testing
