#include "tests/ingestd/ingest_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace mayfly::ingestd {
namespace {

constexpr std::chrono::seconds kPatience{20};

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

TempDir::TempDir() {
  std::string name = "/dev/shm/mayfly-ingestd-test-XXXXXX";
  path_ = ::mkdtemp(name.data()) != nullptr ? name : "";
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

Client Client::tcp(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0) << std::strerror(errno);
  return Client(fd);
}

Client Client::unix_socket(const std::string& path) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, path.c_str(), sizeof(to.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0) << std::strerror(errno);
  return Client(fd);
}

bool Client::try_send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Client::send(std::string_view bytes) { EXPECT_TRUE(try_send(bytes)) << std::strerror(errno); }

// More bytes in buffer_; false at the end or after the deadline.
bool Client::fill() {
  pollfd wanted{fd_, POLLIN, 0};
  const int ready = ::poll(&wanted, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count()));
  if (ready <= 0) {
    buffer_ += "<timeout>\r\n";
    return true;
  }
  char chunk[65536];
  const ssize_t got = ::recv(fd_, chunk, sizeof(chunk), 0);
  if (got <= 0) return false;
  buffer_.append(chunk, static_cast<std::size_t>(got));
  return true;
}

std::string Client::line() {
  while (true) {
    const std::size_t end = buffer_.find("\r\n");
    if (end != std::string::npos) {
      const std::string found = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      return found;
    }
    if (!fill()) return "<eof>";
  }
}

std::string Client::bytes(std::size_t count) {
  while (buffer_.size() < count && fill()) {
  }
  const std::string found = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return found;
}

std::string Client::reply() {
  const std::string head = line();
  std::string whole = head + "\r\n";
  if (head.empty() || head[0] == '<') return head;
  const auto number = head.size() > 1 ? std::strtol(head.c_str() + 1, nullptr, 10) : 0;
  if (head[0] == '$' && number >= 0) whole += bytes(static_cast<std::size_t>(number) + 2);
  const long items = head[0] == '*' ? number : head[0] == '%' ? 2 * number : 0;
  for (long i = 0; i < items; ++i) whole += reply();
  return whole;
}

std::string Client::ask(std::string_view text) {
  send(text);
  return reply();
}

std::string Client::rest() {
  while (buffer_.find("<timeout>") == std::string::npos && fill()) {
  }
  return std::exchange(buffer_, std::string());
}

void Client::half_close() { ::shutdown(fd_, SHUT_WR); }

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Client::reset() {
  const linger none{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  close();
}

std::string resp(const std::vector<std::string>& arguments) {
  std::string text = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    text += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
  }
  return text;
}

shm::Rule exact(shm::Kind kind, const std::string& name, const shm::Quotas& quotas) {
  shm::Rule rule;
  rule.kind = kind;
  rule.name = name;
  rule.quotas = quotas;
  return rule;
}

shm::Rule pattern(shm::Kind kind, const std::string& text, std::uint64_t max_directories,
                  const shm::Quotas& quotas) {
  shm::Rule rule = exact(kind, text, quotas);
  rule.pattern = true;
  rule.max_directories = max_directories;
  return rule;
}

void IngestTest::SetUp() { ASSERT_FALSE(dir_.path().empty()); }

void IngestTest::TearDown() { stop_server(); }

void IngestTest::start_server(const Setup& setup) {
  if (listeners_ == nullptr) {
    unix_path_ = dir_.path() + "/ingest.sock";
    listeners_ = std::make_unique<Listeners>();
    ASSERT_TRUE(listeners_->bind_tcp("127.0.0.1:0", Protocol::native));
    ASSERT_TRUE(listeners_->bind_tcp("127.0.0.1:0", Protocol::redis));
    ASSERT_TRUE(listeners_->bind_unix({unix_path_, 0660, ""}, Protocol::native));
    native_address_ = listeners_->all()[0].address;
    redis_address_ = listeners_->all()[1].address;
  }
  ServerOptions options;
  options.segment_path = dir_.path() + "/data";
  options.control_path = dir_.path() + "/control";
  options.segment_bytes = setup.bytes;
  options.page_bytes = setup.page_bytes;
  options.workers = setup.workers;
  options.limits = setup.limits;
  auto opened = Server::open(options, *listeners_, nullptr);
  ASSERT_TRUE(opened) << opened.error().text;
  server_ = std::move(opened.value());
  const shm::Status started = server_->start();
  ASSERT_TRUE(started) << started.error().text;
  thread_ = std::thread([this] { server_->run(); });
}

void IngestTest::stop_server() {
  if (!server_) return;
  server_->request_stop();
  thread_.join();
  server_.reset();
}

void IngestTest::open_control() {
  shm::ControlOptions options;
  options.path = dir_.path() + "/control";
  auto opened = shm::ControlWriter::open(options);
  ASSERT_TRUE(opened) << opened.error().text;
  control_ = std::move(opened.value());
}

std::string IngestTest::publish_only(const std::vector<shm::Rule>& rules, bool paused) {
  if (!control_) open_control();
  shm::Rules next;
  next.version = "v" + std::to_string(++version_);
  next.paused = paused;
  next.rules = rules;
  const shm::Status published = control_->publish(next);
  EXPECT_TRUE(published) << published.error().text;
  return next.version;
}

void IngestTest::publish(const std::vector<shm::Rule>& rules, bool paused) {
  const std::string version = publish_only(rules, paused);
  ASSERT_TRUE(eventually([&] { return info().applied_version == version && info().serving == !paused; }));
}

Client IngestTest::greeted() {
  Client client = native();
  client.line();
  return client;
}

shm::Reader IngestTest::reader() const {
  auto opened = shm::Reader::open(dir_.path() + "/data");
  EXPECT_TRUE(opened) << opened.error().text;
  return std::move(opened.value());
}

shm::SegmentInfo IngestTest::info() const { return reader().info(); }

std::optional<shm::DirectoryInfo> IngestTest::directory(shm::Kind kind, const std::string& name) const {
  for (const shm::DirectoryInfo& found : reader().directories()) {
    if (found.kind == kind && found.name == name) return found;
  }
  return std::nullopt;
}

std::vector<std::string> IngestTest::records(shm::Kind kind, const std::string& name) const {
  std::vector<std::string> found;
  const auto wanted = directory(kind, name);
  if (!wanted) return {"<no such directory>"};
  shm::Reader from = reader();
  const shm::Reader::Snapshot snapshot = from.snapshot(*wanted);
  for (const shm::RecordView& record : snapshot.records) {
    found.push_back(std::string(record.key) + "=" + std::string(record.value));
  }
  return found;
}

std::uint64_t IngestTest::dropped(shm::Kind kind, const std::string& name, shm::DropCause cause) const {
  const auto found = directory(kind, name);
  return found ? found->dropped[static_cast<std::size_t>(cause)] : 0;
}

std::uint64_t IngestTest::unattributed(shm::DropCause cause) const {
  return info().unattributed[static_cast<std::size_t>(cause)];
}

std::map<std::string, std::uint64_t> dropped_counts(Client& client) {
  client.send("DROPPED\n");
  std::map<std::string, std::uint64_t> counts;
  const std::string head = client.line();
  EXPECT_EQ(head, "*" + std::to_string(2 * shm::kDropCauses));
  for (std::size_t i = 0; i < shm::kDropCauses; ++i) {
    client.line();  // $length
    const std::string name = client.line();
    const std::string number = client.line();
    counts[name] = number.empty() ? ~0ull : std::strtoull(number.c_str() + 1, nullptr, 10);
  }
  return counts;
}

}  // namespace mayfly::ingestd
