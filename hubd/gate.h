// The one place that decides who reads what. Everything that shows something goes through here.
//
// A request is matched with a route, its sender is identified, and what the sender may not see does
// not exist: 401 (or the login page, for browsers) for nobody known, 404 without the right, for a
// server or directory that exists as for one that does not. A handler gets the reader with its
// rights, and asks scope_for() for each server that it reads from.
//
// What is not matched here: a host's tunnel and its quotas (keys of their own), logging in and out,
// and whether the hub lives.
#pragma once

#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/http_message.h"
#include "common/loop_timer.h"
#include "hubd/access.h"
#include "hubd/audit_log.h"
#include "hubd/host_links.h"
#include "hubd/hub_metrics.h"
#include "hubd/identity.h"
#include "hubd/open_reads.h"
#include "hubd/sessions.h"

namespace mayfly::hubd {

/// A path of the hub, and who answers there.
struct Route {
  using Handler = std::function<void(HttpRequest request, ResponseWriterPtr response, ReaderPtr reader)>;
  enum class Surface { people, programs };

  std::string path;
  bool and_below = false;  // also every path that begins with `path`
  Surface surface = Surface::people;
  bool page = false;         // a browser without a session is sent to the login
  bool administers = false;  // needs may_administer()
  bool takes_posts = false;  // besides GET and HEAD
  bool noted = true;         // in the audit log
  bool counted = true;       // its answers are counted here by their status; false: by the handler
  Handler handler{};
};

/// Belongs to the loop's thread. What it is given outlives it; the loop runs once more after it.
class Gate {
 public:
  static constexpr std::string_view kServers = "/frontend/servers/";  // + name + path at the host
  static constexpr std::string_view kScrapedServers = "/scraper/v1/server/";
  static constexpr std::string_view kScrapedServersToo = "/scraper/api/server/";  // as PTTH has both
  static constexpr std::string_view kSession = "/frontend/session";
  /// How often sessions and keys are looked at that run out by themselves.
  static constexpr std::chrono::seconds kLook{5};

  Gate(uv_loop_t* loop, HostLinks& links, Sessions& sessions, HubMetrics& metrics, AuditLog& audit);
  ~Gate();

  /// An earlier route wins. Paths of hosts and kSession are matched before all of them.
  void add(Route route) { routes_.push_back(std::move(route)); }
  /// The hub's own page for one host, shown to those who may see something of it instead of what the
  /// host has at "/". Without one, and for hosts that are not Mayfly's, "/" is the host's.
  void set_server_page(Route::Handler page) { server_page_ = std::move(page); }

  /// Cuts off at once what is open and no longer allowed.
  void set_config(std::shared_ptr<const HubConfig> config);
  /// The same, after sessions have ended.
  void look_again();

  void handle(HttpRequest request, ResponseWriterPtr response);
  std::size_t open_reads() const { return open_.size(); }

 private:
  struct Call;

  const Route* find_route(std::string_view path) const;
  Identity identify(const HttpRequest& request, Route::Surface surface);
  bool refuse_methods(const Call& call, bool takes_posts);
  void refuse(const Call& call, const Identity& identity, bool page);
  void hide(const Call& call);
  void problem(const Call& call, int status, std::string_view code, std::string_view detail,
               HttpHeaders more = {});
  void read_host(Call call, std::string_view prefix, Route::Surface surface);
  void forward(Call call, const Identity& identity, const std::string& server, const std::string& prefix);
  void answer_session(const Call& call);
  struct Admission {
    std::string server;
    std::string directory;
    bool noted = true;    // in the audit log
    bool counted = true;  // by its status; HostLinks counts its answers itself
  };
  ResponseWriterPtr admit(const Call& call, const Identity& identity, Admission admission);
  void cut_off(const Claim& claim);

  uv_loop_t* loop_;
  HostLinks& links_;
  Sessions& sessions_;
  HubMetrics& metrics_;
  AuditLog& audit_;
  Identifier identifier_;
  OpenReads open_;
  std::vector<Route> routes_;
  Route::Handler server_page_;
  std::shared_ptr<const HubConfig> config_;
  std::unordered_set<std::string> servers_;  // that exist
  std::shared_ptr<Gate*> self_;              // for answers that outlive us
  LoopTimer timer_;
};

}  // namespace mayfly::hubd
