#include "hubd/login.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/password_hash.h"
#include "common/random_key.h"
#include "common/request_target.h"
#include "hubd/access.h"
#include "hubd/cookies.h"
#include "hubd/html.h"
#include "hubd/identity.h"
#include "shm/clock.h"

namespace mayfly::hubd {
namespace {

constexpr std::size_t kMaxNameBytes = 128;
constexpr std::string_view kFormType = "application/x-www-form-urlencoded";
constexpr std::string_view kAnyName = "any name";  // what one address tries, whatever the name
constexpr std::string_view kAnywhere = "anywhere";

using Fields = std::vector<std::pair<std::string, std::string>>;

std::string take_field(Fields& fields, std::string_view name) {
  for (auto& [key, value] : fields) {
    if (key == name) return std::move(value);
  }
  return {};
}

bool is_form(const HttpRequest& request) {
  const std::string* type = request.header("content-type");
  return type != nullptr && std::string_view(*type).substr(0, type->find(';')) == kFormType;
}

/// The fields of the body, which is wiped. Nothing: not a form.
std::optional<Fields> take_form(HttpRequest& request) {
  if (!is_form(request)) return {};
  shm::Result<Fields> fields = parse_form(request.body);
  wipe(request.body);
  if (!fields.ok()) return {};
  return std::move(fields.value());
}

}  // namespace

/// One try to log in.
struct Login::Try {
  HttpRequest request;  // without its body
  std::string address;
  std::string name;
  std::string hash;  // that the password was compared with
  std::string next;
};

Login::Login(uv_loop_t* loop, Sessions& sessions, HubMetrics& metrics, AuditLog& audit,
             std::function<void()> ended)
    : loop_(loop),
      sessions_(sessions),
      metrics_(metrics),
      audit_(audit),
      ended_(std::move(ended)),
      self_(std::make_shared<Login*>(this)),
      passwords_(loop) {
  if (shm::Result<std::string> key = random_key(); key.ok()) form_key_ = std::move(key.value());
}

Login::~Login() { *self_ = nullptr; }

void Login::set_config(std::shared_ptr<const HubConfig> config) {
  config_ = std::move(config);
  sessions_.set_users(config_->users);
}

bool Login::takes(const HttpRequest& request) {
  return request.path == kLoginPath || request.path == kLogoutPath;
}

void Login::handle(HttpRequest request, ResponseWriterPtr response) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.path == kLoginPath && reads) return show_form(request, *response);
  if (request.path == kLoginPath && request.method == "POST") return submit(request, response);
  if (request.path == kLogoutPath && request.method == "POST") return log_out(request, *response);
  ++metrics_.answers[405];
  send_problem(*response, 405, "method_not_allowed", "not this way",
               {{"Allow", request.path == kLoginPath ? "GET, HEAD, POST" : "POST"}});
}

void Login::show_form(const HttpRequest& request, ResponseWriter& response) {
  std::string next;
  if (shm::Result<Fields> query = parse_form(request.query); query.ok()) {
    next = take_field(query.value(), "next");
  }
  if (!needs_login(*config_)) return redirect(response, std::string(kHome));
  form_page(request, response, 200, "", next);
}

void Login::submit(HttpRequest& request, const ResponseWriterPtr& response) {
  if (!needs_login(*config_)) return redirect(*response, std::string(kHome));
  std::optional<Fields> fields = take_form(request);
  if (!fields) {
    ++metrics_.access.logins_malformed;
    ++metrics_.answers[400];
    return send_problem(*response, 400, "bad_form", "a login is a form: " + std::string(kFormType));
  }
  std::string password = take_field(*fields, "password");
  const std::string token = take_field(*fields, "csrf");
  auto attempt = std::make_shared<Try>();
  attempt->name = take_field(*fields, "username").substr(0, kMaxNameBytes + 1);
  attempt->next = own_path(take_field(*fields, "next"), kHome);
  attempt->address = client_address(request, config_->behind_proxy);
  attempt->request = std::move(request);

  const auto cookie = read_cookie(attempt->request, kLoginCookie);
  const bool proven = cookie && !form_key_.empty() && same_secret(token, keyed_hash(form_key_, *cookie));
  if (!proven || from_another_site(attempt->request)) {
    ++metrics_.access.logins_unproven;
    wipe(password);
    return form_page(attempt->request, *response, 403,
                     "This form had run out, or cookies are switched off. Please try again.", attempt->next);
  }
  if (!within_limits(*attempt, *response)) return wipe(password);
  check(std::move(attempt), std::move(password), response);
}

bool Login::within_limits(const Try& attempt, ResponseWriter& response) {
  const std::uint64_t now = uv_now(loop_);
  const bool address_may = by_address_.may_try(attempt.address, kAnyName, now);
  const bool name_may = by_name_.may_try(kAnywhere, attempt.name, now);
  if (address_may && name_may) return true;
  const std::uint64_t wait =
      std::max(address_may ? 1 : by_address_.retry_after_s(attempt.address, kAnyName, now),
               name_may ? 1 : by_name_.retry_after_s(kAnywhere, attempt.name, now));
  ++metrics_.access.limited_logins;
  note(AuditEntry::Event::login_limited, attempt, 429);
  form_page(attempt.request, response, 429, "Too many tries. Please wait a little.", attempt.next,
            {{"Retry-After", std::to_string(wait)}});
  return false;
}

void Login::check(std::shared_ptr<Try> attempt, std::string password, const ResponseWriterPtr& response) {
  // Counted before it is known to be wrong, so that tries at the same time count too.
  by_address_.failed(attempt->address, kAnyName, uv_now(loop_));
  by_name_.failed(kAnywhere, attempt->name, uv_now(loop_));
  attempt->hash = hash_for(attempt->name);
  const bool taken =
      passwords_.check(std::move(password), attempt->hash, [self = self_, attempt, response](bool matches) {
        if (*self != nullptr) (*self)->finish(*attempt, matches, *response);
      });
  if (taken) return;
  forgive(*attempt);
  ++metrics_.access.busy_logins;
  form_page(attempt->request, *response, 503, "Too many people are logging in. Please try again.",
            attempt->next, {{"Retry-After", "2"}});
}

void Login::finish(const Try& attempt, bool matches, ResponseWriter& response) {
  // The file may have changed meanwhile: what was compared must be this user's hash now.
  const User* user = find_user(attempt.name);
  if (user == nullptr || !matches || user->password != attempt.hash) {
    ++metrics_.access.wrong_passwords;
    note(AuditEntry::Event::login_failed, attempt, 401);
    return form_page(attempt.request, response, 401, "The name or the password is wrong.", attempt.next);
  }
  forgive(attempt);
  if (!response.closed()) let_in(attempt, *user, response);
}

void Login::let_in(const Try& attempt, const User& user, ResponseWriter& response) {
  const std::uint64_t now = uv_now(loop_);
  const shm::Result<std::string> secret = sessions_.open(user, now);
  if (!secret.ok()) {
    spdlog::error("a login fails: {}", secret.error().text);
    ++metrics_.answers[500];
    return send_problem(response, 500, "no_session", secret.error().text);
  }
  // A session that this browser had before is given up with its cookie.
  if (const auto before = read_cookie(attempt.request, kSessionCookie)) {
    if (const auto session = sessions_.find(*before, now)) sessions_.end(session->id);
  }
  ++metrics_.access.logins;
  note(AuditEntry::Event::login, attempt, 303);
  redirect(response, attempt.next,
           {{"Set-Cookie", set_cookie(attempt.request, kSessionCookie, secret.value(), "Lax")},
            {"Set-Cookie", remove_cookie(attempt.request, kLoginCookie)}});
}

void Login::log_out(HttpRequest& request, ResponseWriter& response) {
  std::optional<Fields> fields = take_form(request);
  std::string token = fields ? take_field(*fields, "csrf") : std::string();
  if (const std::string* header = request.header("x-csrf-token")) token = *header;
  const auto secret = read_cookie(request, kSessionCookie);
  const auto session = secret ? sessions_.find(*secret, uv_now(loop_)) : std::nullopt;
  if (session && (!same_secret(token, session->csrf) || from_another_site(request))) {
    ++metrics_.access.logins_unproven;
    ++metrics_.answers[403];
    return send_problem(response, 403, "no_token", "logging out needs the session's token");
  }
  if (session) {
    sessions_.end(session->id);
    ++metrics_.access.logouts;
    Try who;
    who.request = request;
    who.name = session->user;
    who.address = client_address(request, config_->behind_proxy);
    note(AuditEntry::Event::logout, who, 303);
    ended_();
  }
  redirect(response, std::string(kLoginPath), {{"Set-Cookie", remove_cookie(request, kSessionCookie)}});
}

const User* Login::find_user(std::string_view name) const {
  const auto found = std::find_if(config_->users.begin(), config_->users.end(),
                                  [&](const User& user) { return user.name == name; });
  return found == config_->users.end() ? nullptr : &*found;
}

std::string Login::hash_for(const std::string& name) const {
  if (const User* user = find_user(name)) return user->password;
  // Somebody unknown costs what somebody known costs: the same hash each time for one name.
  const std::string mixed = keyed_hash(form_key_, name);
  std::size_t index = 0;
  for (const char c : mixed) index = index * 31 + static_cast<unsigned char>(c);
  return config_->users[index % config_->users.size()].password;
}

void Login::forgive(const Try& attempt) {
  by_address_.forgive(attempt.address, kAnyName, uv_now(loop_));
  by_name_.forgive(kAnywhere, attempt.name, uv_now(loop_));
}

void Login::redirect(ResponseWriter& response, const std::string& path, HttpHeaders more) {
  ++metrics_.answers[303];
  more.emplace_back("Location", path);
  more.emplace_back("Cache-Control", "no-store");
  response.send(303, more, "");
}

void Login::note(AuditEntry::Event event, const Try& attempt, int status) {
  AuditEntry entry;
  entry.event = event;
  // What is no user's name may be a password in the wrong field.
  entry.reader = find_user(attempt.name) != nullptr ? attempt.name : "(unknown name)";
  entry.reader_kind = event == AuditEntry::Event::login || event == AuditEntry::Event::logout ? "person" : "";
  entry.address = attempt.address;
  entry.method = attempt.request.method;
  entry.path = attempt.request.path;
  entry.status = status;
  entry.first_ns = shm::system_clocks().wall_ns();
  audit_.add(std::move(entry));
}

void Login::form_page(const HttpRequest& request, ResponseWriter& response, int status,
                      std::string_view problem, std::string_view next, HttpHeaders more) {
  std::string bound = read_cookie(request, kLoginCookie).value_or("");
  if (bound.size() != 43) {
    shm::Result<std::string> fresh = random_key();
    if (!fresh.ok() || form_key_.empty()) {
      ++metrics_.answers[500];
      return send_problem(response, 500, "no_session", "no random numbers to be had");
    }
    bound = std::move(fresh.value());
  }
  // Two forms open at once share the cookie, so that neither spoils the other.
  more.emplace_back("Set-Cookie", set_cookie(request, kLoginCookie, bound, "Strict"));
  Html page;
  page.markup("<h1>Mayfly</h1>\n");
  if (!problem.empty()) page.markup("<p class=\"problem\" role=\"alert\">").text(problem).markup("</p>\n");
  page.markup("<form class=\"login\" method=\"post\" action=\"/login\">\n")
      .markup("<input type=\"hidden\" name=\"csrf\" value=\"")
      .text(keyed_hash(form_key_, bound))
      .markup("\">\n<input type=\"hidden\" name=\"next\" value=\"")
      .text(own_path(next, kHome))
      .markup("\">\n<label>Name <input name=\"username\" autocomplete=\"username\" ")
      .markup("autocapitalize=\"none\" maxlength=\"128\" required autofocus></label>\n")
      .markup("<label>Password <input type=\"password\" name=\"password\" ")
      .markup("autocomplete=\"current-password\" maxlength=\"511\" required></label>\n")
      .markup("<button>Log in</button>\n</form>\n");
  ++metrics_.answers[status];
  send_page(response, status, "Log in", page, std::move(more));
}

}  // namespace mayfly::hubd
