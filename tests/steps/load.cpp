#include "tests/steps/load.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>

namespace mayfly::test {
namespace {

constexpr std::chrono::minutes kDeadline{10};  // single steps of a busy machine
constexpr int kPollMs = 20;

shm::Rule rule(shm::Kind kind, const char* name, const shm::Quotas& quotas) {
  shm::Rule r;
  r.kind = kind;
  r.name = name;
  r.quotas = quotas;
  return r;
}

int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

}  // namespace

Load::Load(const std::string& runtime_dir, std::uint64_t seed) : runtime_dir_(runtime_dir), random_(seed) {
  if (::mkdir((runtime_dir + "/segments").c_str(), 0750) != 0) throw std::runtime_error("mkdir segments");
  shm::ControlOptions options;
  options.path = runtime_dir + "/segments/control";
  auto opened = shm::ControlWriter::open(options);
  if (!opened) throw std::runtime_error(opened.error().text);
  control_ = std::move(opened.value());
}

Load::~Load() {
  if (socket_ >= 0) ::close(socket_);
}

/// One directory for each reason to evict, one whose pages become sparse, one with records over pages.
void Load::publish_quotas() {
  shm::Quotas events;
  events.max_keys = pick(8, 20);
  events.max_events_per_key = pick(4, 9);
  events.max_total_bytes = events.max_bytes_per_key = pick(3000, 24'000);
  shm::Quotas sparse;
  sparse.max_keys = 300;
  sparse.max_events_per_key = pick(1, 2);
  sparse.max_total_bytes = pick(60'000, 120'000);
  shm::Quotas large;
  large.max_value_bytes = 60'000;
  large.max_total_bytes = large.max_bytes_per_key = pick(90'000, 180'000);
  shm::Quotas state;
  state.max_keys = pick(20, 40);
  state.max_total_bytes = state.max_bytes_per_key = pick(4000, 8000);
  shm::Rules rules;
  rules.version = std::to_string(random_());
  rules.rules = {rule(shm::Kind::log, "events", events), rule(shm::Kind::log, "sparse", sparse),
                 rule(shm::Kind::log, "large", large), rule(shm::Kind::status, "state", state)};
  if (auto published = control_->publish(rules); !published) throw std::runtime_error(published.error().text);
}

std::string Load::record() {
  const auto dice = random_() % 100;
  const auto text = [&](const char* command, std::uint64_t keys, std::size_t bytes) {
    return std::string(command) + " k" + std::to_string(random_() % keys) + " " + std::string(bytes, 'v') +
           "\n";
  };
  if (dice < 30) return text("LOG events", 30, random_() % 200);
  if (dice < 65) return text("LOG sparse", 10 + random_() % 290, random_() % 900);
  if (dice < 67) return text("LOG large", 4, 10'000 + random_() % 40'000);
  if (dice < 95) return text("STATUS state", 60, random_() % 300);
  return "UNSET state k" + std::to_string(random_() % 60) + "\n";
}

void Load::connect(Tracee& tracee, const OnHit& on_hit) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while ((socket_ = connect_to(runtime_dir_ + "/ingest.sock")) < 0) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("no connection");
    pollfd events{tracee.event_fd(), POLLIN, 0};
    ::poll(&events, 1, kPollMs);
    while (const auto hit = tracee.next()) on_hit(*hit);
  }
  wait_for(tracee, on_hit, "+GO\r\n");
}

void Load::burst(Tracee& tracee, const OnHit& on_hit) {
  std::string text;
  for (auto n = 1 + random_() % (random_() % 8 == 0 ? 40 : 6); n > 0; --n) text += record();
  const std::string mark = "b" + std::to_string(++bursts_);
  text += "PING " + mark + "\n";
  for (std::string_view left = text; !left.empty();) {
    const ssize_t sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) left.remove_prefix(static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) throw std::runtime_error("the connection broke");
    while (const auto hit = tracee.next()) on_hit(*hit);
  }
  wait_for(tracee, on_hit, mark + "\r\n");
}

void Load::wait_for(Tracee& tracee, const OnHit& on_hit, const std::string& text) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (received_.find(text) == std::string::npos) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("no answer to " + text);
    pollfd events[] = {{tracee.event_fd(), POLLIN, 0}, {socket_, POLLIN, 0}};
    ::poll(events, std::size(events), kPollMs);
    while (const auto hit = tracee.next()) on_hit(*hit);
    char bytes[4096];
    const ssize_t n = ::recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) received_.append(bytes, static_cast<std::size_t>(n));
    if (n == 0) throw std::runtime_error("the connection was closed");
  }
  received_.clear();
}

}  // namespace mayfly::test
