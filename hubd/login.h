// People come in at /login and go out at /logout.
//
// A login form is bound to the browser that asked for it: a cookie holds a random text, the form an
// authentication of that text by a secret of this process. Without both, from one browser, nothing
// is looked at. Origin is not asked, since a `Referrer-Policy: no-referrer` makes it "null".
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/http_message.h"
#include "hubd/audit_log.h"
#include "hubd/failed_keys.h"
#include "hubd/hub_config.h"
#include "hubd/hub_metrics.h"
#include "hubd/password_pool.h"
#include "hubd/sessions.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread. What it is given outlives it.
class Login {
 public:
  static constexpr std::string_view kLoginPath = "/login";
  static constexpr std::string_view kLogoutPath = "/logout";
  /// Where people are sent who did not come from anywhere.
  static constexpr std::string_view kHome = "/frontend/servers/";

  /// Tries from one address, and for one name from anywhere. A right one counts as none.
  static constexpr TryLimits kAddressLimits{20, 3000};
  static constexpr TryLimits kNameLimits{10, 6000};

  /// `ended` is called after a session was ended by its owner.
  Login(uv_loop_t* loop, Sessions& sessions, HubMetrics& metrics, AuditLog& audit,
        std::function<void()> ended);
  ~Login();

  void set_config(std::shared_ptr<const HubConfig> config);
  static bool takes(const HttpRequest& request);
  void handle(HttpRequest request, ResponseWriterPtr response);

 private:
  struct Try;

  void show_form(const HttpRequest& request, ResponseWriter& response);
  void submit(HttpRequest& request, const ResponseWriterPtr& response);
  bool within_limits(const Try& attempt, ResponseWriter& response);
  void check(std::shared_ptr<Try> attempt, std::string password, const ResponseWriterPtr& response);
  void finish(const Try& attempt, bool matches, ResponseWriter& response);
  void let_in(const Try& attempt, const User& user, ResponseWriter& response);
  void log_out(HttpRequest& request, ResponseWriter& response);

  const User* find_user(std::string_view name) const;
  std::string hash_for(const std::string& name) const;
  void forgive(const Try& attempt);
  void form_page(const HttpRequest& request, ResponseWriter& response, int status, std::string_view problem,
                 std::string_view next, HttpHeaders more = {});
  void redirect(ResponseWriter& response, const std::string& path, HttpHeaders more = {});
  void note(AuditEntry::Event event, const Try& attempt, int status);

  uv_loop_t* loop_;
  Sessions& sessions_;
  HubMetrics& metrics_;
  AuditLog& audit_;
  std::function<void()> ended_;
  std::shared_ptr<const HubConfig> config_;
  std::string form_key_;  // random; empty: no login is possible
  FailedKeys by_address_{kAddressLimits};
  FailedKeys by_name_{kNameLimits};
  std::shared_ptr<Login*> self_;  // for answers that may come after us
  PasswordPool passwords_;
};

}  // namespace mayfly::hubd
