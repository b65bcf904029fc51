#include "hubd/gate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/scope_header.h"
#include "common/text.h"
#include "hubd/cookies.h"
#include "hubd/host_path.h"
#include "hubd/html.h"
#include "hubd/login.h"
#include "shm/clock.h"

namespace mayfly::hubd {
namespace {

std::string_view kind_name(Reader::Kind kind) {
  switch (kind) {
    case Reader::Kind::nobody:
      return "nobody";
    case Reader::Kind::everybody:
      return "everybody";
    case Reader::Kind::person:
      return "person";
    case Reader::Kind::program:
      return "program";
  }
  return "nobody";
}

/// Below which paths the hosts' own begin, and whose surface that is.
struct HostPrefix {
  std::string_view path;
  Route::Surface surface;
};

constexpr HostPrefix kHostPrefixes[] = {{Gate::kServers, Route::Surface::people},
                                        {Gate::kScrapedServers, Route::Surface::programs},
                                        {Gate::kScrapedServersToo, Route::Surface::programs}};

/// An entry of the audit log without its time and status.
AuditEntry entry_for(const HttpRequest& request, const Claim& claim, bool behind_proxy) {
  AuditEntry entry;
  entry.reader = claim.credential.name;
  entry.reader_kind = kind_name(claim.credential.kind);
  entry.address = client_address(request, behind_proxy);
  entry.server = claim.server;
  entry.method = request.method;
  entry.path = request.path.substr(0, request.path.find(';'));
  return entry;
}

bool is_read(const HttpRequest& request) { return request.method == "GET" || request.method == "HEAD"; }

}  // namespace

/// A request on its way through.
struct Gate::Call {
  HttpRequest request;
  ResponseWriterPtr response;
};

Gate::Gate(uv_loop_t* loop, HostLinks& links, Sessions& sessions, HubMetrics& metrics, AuditLog& audit)
    : loop_(loop),
      links_(links),
      sessions_(sessions),
      metrics_(metrics),
      audit_(audit),
      identifier_(loop, sessions, metrics, audit),
      open_(loop),
      self_(std::make_shared<Gate*>(this)),
      timer_(loop, [this] { look_again(); }) {
  timer_.start(kLook, kLook);
}

Gate::~Gate() { *self_ = nullptr; }

void Gate::set_config(std::shared_ptr<const HubConfig> config) {
  config_ = std::move(config);
  identifier_.set_config(config_);
  servers_.clear();
  for (const Server& server : config_->servers) servers_.insert(server.name);
  look_again();
}

void Gate::look_again() {
  sessions_.expire(uv_now(loop_));
  metrics_.access.cut_off += open_.cut_off([this](const Claim& claim) {
    const bool covered = still_covered(claim, identifier_.still(claim.credential));
    if (!covered) cut_off(claim);
    return covered;
  });
}

void Gate::cut_off(const Claim& claim) {
  AuditEntry entry;
  entry.event = AuditEntry::Event::cut_off;
  entry.reader = claim.credential.name;
  entry.reader_kind = kind_name(claim.credential.kind);
  entry.server = claim.server;
  entry.path = claim.directory;
  entry.first_ns = shm::system_clocks().wall_ns();
  audit_.add(std::move(entry));
}

void Gate::handle(HttpRequest request, ResponseWriterPtr response) {
  std::erase_if(request.headers, [](const auto& header) { return header.first == kReadScopeHeader; });
  Call call{std::move(request), std::move(response)};
  if (call.request.header("upgrade") != nullptr && from_another_origin(call.request, config_->hosts)) {
    ++metrics_.access.other_origins;
    return problem(call, 403, "other_origin", "a page of another origin asks");
  }
  const std::string& path = call.request.path;
  for (const HostPrefix& prefix : kHostPrefixes) {
    const bool below = path.size() > prefix.path.size() && path.starts_with(prefix.path);
    if (below) return read_host(std::move(call), prefix.path, prefix.surface);
  }
  if (path == kSession) return answer_session(call);
  const Route* route = find_route(path);
  if (route == nullptr) return hide(call);
  const Identity identity = identify(call.request, route->surface);
  if (!identity.reader) return refuse(call, identity, route->page);
  if (refuse_methods(call, route->takes_posts)) return;
  if (route->administers && !may_administer(*identity.reader)) {
    ++metrics_.access.without_right;
    return hide(call);
  }
  const ResponseWriterPtr guarded = admit(call, identity, {"", "", route->noted, route->counted});
  route->handler(std::move(call.request), guarded, identity.reader);
}

const Route* Gate::find_route(std::string_view path) const {
  const auto found = std::find_if(routes_.begin(), routes_.end(), [&](const Route& route) {
    return path == route.path || (route.and_below && path.starts_with(route.path));
  });
  return found == routes_.end() ? nullptr : &*found;
}

Identity Gate::identify(const HttpRequest& request, Route::Surface surface) {
  return surface == Route::Surface::people ? identifier_.person_or_program(request)
                                           : identifier_.program(request);
}

bool Gate::refuse_methods(const Call& call, bool takes_posts) {
  if (is_read(call.request) || (takes_posts && call.request.method == "POST")) return false;
  problem(call, 405, "method_not_allowed", "reading is done with GET",
          {{"Allow", takes_posts ? "GET, HEAD, POST" : "GET, HEAD"}});
  return true;
}

void Gate::refuse(const Call& call, const Identity& identity, bool page) {
  switch (identity.problem) {
    case Identity::Problem::none:
      return;
    case Identity::Problem::too_many_tries:
      return problem(call, 429, "too_many_tries", "too many wrong keys from this address",
                     {{"Retry-After", std::to_string(identity.retry_after_s)}});
    case Identity::Problem::wrong_key:
      return problem(call, 401, "bad_key", "this key is not known here, or not valid now",
                     {{"WWW-Authenticate", "Bearer error=\"invalid_token\""}});
    case Identity::Problem::nobody:
      break;
  }
  ++metrics_.access.without_login;
  if (!page || !is_read(call.request) || !wants_html(call.request)) {
    return problem(call, 401, "no_login", "this needs a login, or a key", {{"WWW-Authenticate", "Bearer"}});
  }
  const std::string& query = call.request.query;
  const std::string here = call.request.path + (query.empty() ? "" : "?" + query);
  ++metrics_.answers[303];
  call.response->send(303,
                      {{"Location", std::string(Login::kLoginPath) + "?next=" + percent_encode(here)},
                       {"Cache-Control", "no-store"}},
                      "");
}

void Gate::hide(const Call& call) { problem(call, 404, "not_found", "no such resource"); }

void Gate::problem(const Call& call, int status, std::string_view code, std::string_view detail,
                   HttpHeaders more) {
  ++metrics_.answers[status];
  send_problem(*call.response, status, code, detail, std::move(more));
}

void Gate::read_host(Call call, std::string_view prefix, Route::Surface surface) {
  const Identity identity = identify(call.request, surface);
  const ServerPath path = split_server_path(call.request.path, prefix);
  if (!identity.reader) return refuse(call, identity, path.rest.empty() || path.rest == "/");
  if (refuse_methods(call, false)) return;
  const Scope scope = scope_for(*identity.reader, path.server);
  if (!servers_.contains(path.server) || scope.nothing()) {
    if (scope.nothing()) ++metrics_.access.without_right;
    return hide(call);
  }
  const std::string base = std::string(prefix) + path.server;
  if (path.rest.empty()) {
    ++metrics_.answers[307];
    return call.response->send(307, {{"Location", base + "/"}, {"Cache-Control", "no-store"}}, "");
  }
  const HostState state = links_.state(path.server);
  const bool has_own_page = state.version.empty() && state.last_seen_ns.has_value();
  if (path.rest == "/" && surface == Route::Surface::people && server_page_ && !has_own_page) {
    const ResponseWriterPtr guarded = admit(call, identity, {path.server, ""});
    return server_page_(std::move(call.request), guarded, identity.reader);
  }
  call.request.path = path.rest;
  forward(std::move(call), identity, path.server, base);
}

void Gate::forward(Call call, const Identity& identity, const std::string& server,
                   const std::string& prefix) {
  const Scope scope = scope_for(*identity.reader, server);
  const HostPath path = read_host_path(call.request);
  if (!may_read(scope, path)) {
    ++metrics_.access.without_right;
    return hide(call);
  }
  const ResponseWriterPtr guarded = admit(call, identity, {server, path.directory, true, false});
  ForwardOptions options;
  options.prefix = prefix;
  links_.forward(server, scope, std::move(call.request), guarded, options);
}

void Gate::answer_session(const Call& call) {
  const Identity identity = identify(call.request, Route::Surface::people);
  if (!identity.reader) return refuse(call, identity, false);
  if (refuse_methods(call, false)) return;
  nlohmann::ordered_json answer;
  answer["kind"] = kind_name(identity.reader->kind);
  answer["name"] = identity.reader->name;
  answer["administers"] = may_administer(*identity.reader);
  // Null: there is no session that POST /logout could end.
  answer["csrf"] = identity.csrf.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(identity.csrf);
  const ResponseWriterPtr guarded = admit(call, identity, {"", "", false});
  guarded->send(200,
                {{"Content-Type", "application/json"},
                 {"Cache-Control", "no-store"},
                 {"X-Content-Type-Options", "nosniff"}},
                answer.dump() + "\n");
}

ResponseWriterPtr Gate::admit(const Call& call, const Identity& identity, Admission admission) {
  ++metrics_.access.admitted;
  Claim claim{identity.credential, identity.reader, admission.server, admission.directory};
  AuditEntry entry = entry_for(call.request, claim, config_->behind_proxy);
  auto answered = [self = self_, entry = std::move(entry), admission = std::move(admission)](int status) {
    if (*self == nullptr) return;
    if (status != 0 && admission.counted) ++(*self)->metrics_.answers[status];
    if (!admission.noted) return;
    AuditEntry done = entry;
    done.status = status;
    done.first_ns = shm::system_clocks().wall_ns();
    (*self)->audit_.add(std::move(done));
  };
  return open_.guard(call.response, std::move(claim), std::move(answered));
}

}  // namespace mayfly::hubd
