// A listener with nothing but the tunnel behind it, and servers that speak raw bytes over sockets.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../common/http_test_client.h"
#include "../common/loop_thread.h"
#include "common/http_server.h"
#include "common/tunnel_wire.h"
#include "hubd/fleet.h"
#include "hubd/fleet_search.h"
#include "hubd/host_links.h"
#include "hubd/scraper_api.h"

namespace mayfly::hubd {

/// True as soon as `condition` is; false after 20 s without.
bool eventually(const std::function<bool()>& condition);

/// Readers ask at /to/{server}/..., below /scraper/ and at /api/v1/search; servers "alpha" and "beta" have
/// the keys "key of alpha" and so on.
class TunnelTest : public testing::Test {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override { stop(); }

  void start(const LinkTimes& times);
  void stop();
  void set_servers(const std::vector<std::pair<std::string, std::string>>& names_and_keys);
  std::string request_of(const std::string& server, const std::string& target = "/x",
                         const std::string& headers = "") const;
  HostState state(const std::string& server);
  bool has_parked(std::size_t count);
  bool has_waiting(std::size_t count, const std::string& server = "alpha");
  bool has_in_flight(std::size_t count, const std::string& server = "alpha");
  HubMetrics metrics();
  std::uint16_t port() const { return port_; }

  Scope scope_{true, {}};  // of who asks at /to/; change before asking
  ReaderPtr reader_;       // who asks elsewhere
  ForwardOptions options_;
  test::LoopThread loop_;
  HubMetrics metrics_;
  std::unique_ptr<HostLinks> links_;

 private:
  void handle(HttpRequest request, ResponseWriterPtr response);

  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<ScraperApi> scraper_;
  std::unique_ptr<FleetSearch> search_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

/// A server behind its firewall.
class FakeServer {
 public:
  FakeServer(std::uint16_t port, std::string name) : port_(port), name_(std::move(name)), polls_(port) {}

  std::string key_line() const { return "X-ApiKey: key of " + name_ + "\r\n"; }
  void send_poll(const std::string& headers = "");
  test::TestAnswer read_poll() { return polls_.read_answer(); }
  /// The requests that the open poll brings.
  std::vector<WrappedRequest> read_requests();
  /// Polls and takes the one request that comes.
  WrappedRequest take();
  test::TestAnswer answer(const std::string& id, const WrappedHead& head, const std::string& body);
  /// A response POST with whole header lines, and bytes behind them.
  std::string post(const std::string& id, const std::string& lines, const std::string& body = "") const;
  std::string magic_line(const WrappedHead& head) const;
  test::TestConnection& polls() { return polls_; }

 private:
  std::uint16_t port_;
  std::string name_;
  test::TestConnection polls_;
};

/// A server that answers by itself, on a thread of its own, until its end. The fixture's polls must
/// be short.
class AutoServer {
 public:
  struct Answer {
    WrappedHead head;
    std::string body;
  };
  using Handler = std::function<Answer(const WrappedRequest& request)>;

  AutoServer(std::uint16_t port, const std::string& name, Handler handler, bool takes_scopes = true);
  ~AutoServer();
  AutoServer(const AutoServer&) = delete;
  AutoServer& operator=(const AutoServer&) = delete;

 private:
  void run(bool takes_scopes);

  FakeServer server_;
  Handler handler_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace mayfly::hubd
