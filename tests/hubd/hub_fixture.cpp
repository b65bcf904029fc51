#include "hub_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <fstream>

namespace mayfly::hubd {
namespace {

constexpr int kDeadlineMs = 20000;

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kDeadlineMs);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Client::Client(std::uint16_t port) : port_(port) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0)
      << "connecting to port " << port;
}

Client::~Client() { close(fd_); }

void Client::send(const std::string& bytes) const {
  EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

void Client::ask(const std::string& target, const std::string& headers) const {
  send("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) + "\r\n" + headers + "\r\n");
}

bool Client::fill() {
  pollfd wait{fd_, POLLIN, 0};
  if (poll(&wait, 1, kDeadlineMs) != 1) return false;
  char bytes[65536];
  const ssize_t size = recv(fd_, bytes, sizeof bytes, 0);
  if (size <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(size));
  return true;
}

Reply Client::read() {
  Reply reply;
  while (buffer_.find("\r\n\r\n") == std::string::npos) {
    if (!fill()) return reply;
  }
  std::string head = buffer_.substr(0, buffer_.find("\r\n\r\n") + 2);
  buffer_.erase(0, head.size() + 2);
  reply.status = std::atoi(head.substr(9, 3).c_str());
  head.erase(0, head.find("\r\n") + 2);
  while (!head.empty()) {
    const std::string line = head.substr(0, head.find("\r\n"));
    head.erase(0, line.size() + 2);
    std::string name = line.substr(0, line.find(':'));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    reply.headers[name] = line.substr(std::min(line.size(), line.find(':') + 2));
  }
  const std::size_t length = reply.status == 304 ? 0 : std::stoul("0" + reply.headers["content-length"]);
  while (buffer_.size() < length) {
    if (!fill()) return reply;
  }
  reply.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return reply;
}

Reply Client::get(const std::string& target, const std::string& headers) {
  ask(target, headers);
  return read();
}

void HubTest::SetUp() {
  std::string name = testing::TempDir() + "hub_XXXXXX";
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  directory_ = name;
}

void HubTest::TearDown() {
  stop();
  std::filesystem::remove_all(directory_);
}

void HubTest::put(const std::string& name, const std::string& text) const {
  std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
  std::ofstream(path(name)) << text;
}

void HubTest::replace(const std::string& name, const std::string& text) const {
  put(name + "~", text);
  std::filesystem::rename(path(name + "~"), path(name));
}

shm::Status HubTest::start(HubOptions options) {
  std::promise<shm::Status> started;
  auto result = started.get_future();
  thread_ = std::thread([this, &started, options = std::move(options)] { run(options, started); });
  const shm::Status status = result.get();
  if (!status.ok()) thread_.join();
  return status;
}

void HubTest::start_with_file() {
  HubOptions options;
  options.config = path("hub.yaml");
  const shm::Status status = start(std::move(options));
  ASSERT_TRUE(status.ok()) << status.error().text;
}

void HubTest::run(HubOptions options, std::promise<shm::Status>& started) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  {
    shm::Result<std::unique_ptr<Hub>> hub = Hub::start(&loop, std::move(options));
    if (hub.ok()) {
      port_ = hub.value()->addresses().at(0).port;
      std::function<void()> woken = [&] {
        if (reload_.exchange(false)) hub.value()->reload();
        if (stop_.exchange(false)) uv_stop(&loop);
      };
      wake_.data = &woken;
      uv_async_init(&loop, &wake_,
                    [](uv_async_t* wake) { (*static_cast<std::function<void()>*>(wake->data))(); });
      started.set_value({});
      uv_run(&loop, UV_RUN_DEFAULT);
      uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
    } else {
      started.set_value(hub.error());
    }
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_EQ(uv_loop_close(&loop), 0) << "handles were left open";
}

void HubTest::stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  uv_async_send(&wake_);
  thread_.join();
}

void HubTest::reload() {
  reload_ = true;
  uv_async_send(&wake_);
}

double HubTest::metric(const std::string& sample) const {
  const std::string body = "\n" + get("/metrics").body;
  const std::size_t at = body.find("\n" + sample + " ");
  return at == std::string::npos ? -1 : std::stod(body.substr(at + sample.size() + 2));
}

}  // namespace mayfly::hubd
