#include "tunnel_fixture.h"

#include <chrono>
#include <thread>

#include "common/tripcode.h"

namespace mayfly::hubd {

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void TunnelTest::start(const LinkTimes& times) {
  auto everybody = std::make_shared<Reader>();
  everybody->kind = Reader::Kind::everybody;
  reader_ = std::move(everybody);
  loop_.call([&] {
    links_ = std::make_unique<HostLinks>(loop_.loop(), metrics_, times);
    fleet_ = std::make_unique<Fleet>(loop_.loop(), *links_, metrics_);
    scraper_ = std::make_unique<ScraperApi>(*fleet_);
    search_ = std::make_unique<FleetSearch>(*fleet_);
    HttpServerOptions options;
    options.streams_body = HostLinks::streams_body;
    options.max_head_bytes = 64 << 10;
    server_ = std::make_unique<HttpServer>(loop_.loop(), options,
                                           [this](HttpRequest request, ResponseWriterPtr response) {
                                             handle(std::move(request), std::move(response));
                                           });
    const auto port = server_->listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(port.ok()) << port.error().text;
    port_ = port.value();
  });
  set_servers({{"alpha", "key of alpha"}, {"beta", "key of beta"}});
}

void TunnelTest::handle(HttpRequest request, ResponseWriterPtr response) {
  const std::string_view path = request.path;
  if (HostLinks::is_tunnel(request)) return links_->handle_tunnel(std::move(request), std::move(response));
  if (path.starts_with("/scraper/")) return scraper_->handle(request, response, reader_);
  if (path == "/api/v1/search") return search_->handle(request, response, reader_);
  const std::size_t slash = path.find('/', 4);
  const std::string server(path.substr(4, slash - 4));
  options_.prefix = "/to/" + server;
  request.path = path.substr(slash);
  links_->forward(server, scope_, std::move(request), std::move(response), options_);
}

void TunnelTest::stop() {
  loop_.call([&] {
    if (links_) links_->close();
    server_.reset();
    search_.reset();
    scraper_.reset();
    fleet_.reset();
    links_.reset();
  });
}

void TunnelTest::set_servers(const std::vector<std::pair<std::string, std::string>>& names_and_keys) {
  auto config = std::make_shared<HubConfig>();
  for (const auto& [name, key] : names_and_keys) {
    config->servers.push_back({name, blake3(key), name == "beta" ? "Beta Display" : "", false});
  }
  loop_.call([&] {
    links_->set_config(*config);
    fleet_->set_config(config);
    scraper_->set_config(config);
  });
}

std::string TunnelTest::request_of(const std::string& server, const std::string& target,
                                   const std::string& headers) const {
  return "GET /to/" + server + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

HostState TunnelTest::state(const std::string& server) {
  HostState state;
  loop_.call([&] { state = links_->state(server); });
  return state;
}

bool TunnelTest::has_parked(std::size_t count) {
  return eventually([&] { return metrics().links.parked == count; });
}

bool TunnelTest::has_waiting(std::size_t count, const std::string& server) {
  return eventually([&] { return state(server).waiting == count; });
}

bool TunnelTest::has_in_flight(std::size_t count, const std::string& server) {
  return eventually([&] { return state(server).in_flight == count; });
}

HubMetrics TunnelTest::metrics() {
  HubMetrics copy;
  loop_.call([&] { copy = metrics_; });
  return copy;
}

void FakeServer::send_poll(const std::string& headers) {
  polls_.send("GET /7ZSFUKGV/http_listen/" + name_ + " HTTP/1.1\r\naccept: */*\r\n" + key_line() +
              "host: localhost\r\n" + headers + "\r\n");
}

std::vector<WrappedRequest> FakeServer::read_requests() {
  const test::TestAnswer answer = polls_.read_answer();
  EXPECT_EQ(answer.status, 200) << answer.body;
  auto requests = decode_requests(answer.body);
  EXPECT_TRUE(requests.ok());
  return requests.ok() ? requests.value() : std::vector<WrappedRequest>();
}

WrappedRequest FakeServer::take() {
  send_poll();
  const auto requests = read_requests();
  EXPECT_EQ(requests.size(), 1u);
  return requests.empty() ? WrappedRequest() : requests.front();
}

std::string FakeServer::magic_line(const WrappedHead& head) const {
  return std::string(kTunnelHeadHeader) + ": " + head_to_header(head) + "\r\n";
}

std::string FakeServer::post(const std::string& id, const std::string& lines, const std::string& body) const {
  return "POST /7ZSFUKGV/http_response/" + id + " HTTP/1.1\r\nhost: localhost\r\n" + lines + "\r\n" + body;
}

test::TestAnswer FakeServer::answer(const std::string& id, const WrappedHead& head, const std::string& body) {
  test::TestConnection connection(port_);
  connection.send(post(
      id, magic_line(head) + key_line() + "content-length: " + std::to_string(body.size()) + "\r\n", body));
  return connection.read_answer();
}

AutoServer::AutoServer(std::uint16_t port, const std::string& name, Handler handler, bool takes_scopes)
    : server_(port, name),
      handler_(std::move(handler)),
      thread_([this, takes_scopes] { run(takes_scopes); }) {}

AutoServer::~AutoServer() {
  stop_ = true;
  thread_.join();
}

void AutoServer::run(bool takes_scopes) {
  while (!stop_) {
    server_.send_poll(takes_scopes ? "mayfly-version: 1\r\nmayfly-features: scope\r\n" : "");
    const test::TestAnswer poll = server_.read_poll();
    if (poll.status == 204) continue;
    const auto requests = decode_requests(poll.body);
    if (poll.status != 200 || !requests.ok()) return;
    for (const WrappedRequest& request : requests.value()) {
      const Answer answer = handler_(request);
      if (answer.head.status != 0) server_.answer(request.id, answer.head, answer.body);
    }
  }
}

}  // namespace mayfly::hubd
