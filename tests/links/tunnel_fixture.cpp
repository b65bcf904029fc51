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
  loop_.call([&] {
    links_ = std::make_unique<HostLinks>(loop_.loop(), metrics_, times);
    HttpServerOptions options;
    options.streams_body = HostLinks::streams_body;
    options.max_head_bytes = 64 << 10;
    server_ = std::make_unique<HttpServer>(
        loop_.loop(), options, [this](HttpRequest request, ResponseWriterPtr response) {
          if (HostLinks::is_tunnel(request)) {
            return links_->handle_tunnel(std::move(request), std::move(response));
          }
          const std::size_t slash = request.path.find('/', 4);
          const std::string server = request.path.substr(4, slash - 4);
          options_.prefix = "/to/" + server;
          request.path = request.path.substr(slash);
          links_->forward(server, scope_, std::move(request), std::move(response), options_);
        });
    const auto port = server_->listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(port.ok()) << port.error().text;
    port_ = port.value();
  });
  set_servers({{"alpha", "key of alpha"}, {"beta", "key of beta"}});
}

void TunnelTest::stop() {
  loop_.call([&] {
    links_.reset();
    server_.reset();
  });
}

void TunnelTest::set_servers(const std::vector<std::pair<std::string, std::string>>& names_and_keys) {
  HubConfig config;
  for (const auto& [name, key] : names_and_keys) config.servers.push_back({name, blake3(key), name, false});
  loop_.call([&] { links_->set_config(config); });
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

}  // namespace mayfly::hubd
