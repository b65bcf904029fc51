// Who a request's sender is: by a session's cookie, a key, or since nobody has to log in.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/blake3.h"
#include "common/http_message.h"
#include "hubd/access.h"
#include "hubd/audit_log.h"
#include "hubd/failed_keys.h"
#include "hubd/hub_metrics.h"
#include "hubd/sessions.h"

namespace mayfly::hubd {

/// Where a request's sender is: the connection's, or what a proxy before us says.
///
/// Behind a proxy the last address of X-Forwarded-For counts, which is the one that the proxy added.
std::string client_address(const HttpRequest& request, bool behind_proxy);

/// What somebody was recognised by, to ask later whether it still counts.
struct Credential {
  Reader::Kind kind = Reader::Kind::nobody;
  std::string name;
  Sessions::Id session;  // of a person
  Blake3Hash key{};      // of a program
};

struct Identity {
  enum class Problem { none, nobody, wrong_key, too_many_tries };
  Problem problem = Problem::nobody;
  ReaderPtr reader;  // null unless problem is none
  Credential credential;
  std::string csrf;                 // of a person's session
  std::uint64_t retry_after_s = 0;  // of too_many_tries
};

/// Belongs to the loop's thread. What it is given outlives it.
class Identifier {
 public:
  Identifier(uv_loop_t* loop, Sessions& sessions, HubMetrics& metrics, AuditLog& audit)
      : loop_(loop), sessions_(sessions), metrics_(metrics), audit_(audit) {}

  void set_config(std::shared_ptr<const HubConfig> config) { config_ = std::move(config); }

  /// For the surface of people: a session, else a key; everybody where no login is needed.
  Identity person_or_program(const HttpRequest& request);
  /// For the scrapers' surface: a key. Everybody only where neither logins nor keys are set up.
  Identity program(const HttpRequest& request);

  /// The reader as the configuration has it now; null when the credential counts no longer.
  ReaderPtr still(const Credential& credential) const;

 private:
  Identity by_key(const HttpRequest& request, std::string_view key);
  Identity refuse_key(const HttpRequest& request);

  uv_loop_t* loop_;
  Sessions& sessions_;
  HubMetrics& metrics_;
  AuditLog& audit_;
  std::shared_ptr<const HubConfig> config_;
  FailedKeys failed_keys_;
};

}  // namespace mayfly::hubd
