#include "bench/host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "bench/timing.h"

namespace mayfly::bench {

namespace {

constexpr int kPatienceMs = 10'000;
constexpr int kFirstHandedOver = 3;  // of the LISTEN_FDS protocol

template <class Address>
const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

bool comes(int fd, short events) {
  pollfd wait{fd, events, 0};
  return poll(&wait, 1, kPatienceMs) > 0;
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

Host::Host(std::string program, std::string memory, const shm::Quotas& quotas)
    : program_(std::move(program)), memory_(std::move(memory)) {
  std::filesystem::create_directory(scratch_.file("segments"));
  shm::ControlOptions options;
  options.path = scratch_.file("segments/control");
  auto opened = shm::ControlWriter::open(options);
  if (!opened.ok()) give_up(opened.error().text);
  control_ = std::move(opened.value());
  shm::Rule any;
  any.pattern = true;
  any.name = "*";
  any.quotas = quotas;
  const auto published = control_->publish({"bench", false, {any}});
  if (!published.ok()) give_up(published.error().text);
  listener_ = open_listener();
  redis_ = open_listener();
  open_notify_socket();
}

Host::~Host() {
  if (child_ > 0) kill_ingestd();
  for (const int fd : {listener_, redis_, notify_}) {
    if (fd >= 0) close(fd);
  }
}

int Host::open_listener() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, generic(address), sizeof address) != 0 || listen(fd, 128) != 0) give_up("cannot listen");
  return fd;
}

void Host::open_notify_socket() {
  notify_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", scratch_.file("notify").c_str());
  if (bind(notify_, generic(address), sizeof address) != 0) give_up("cannot bind the notification socket");
}

void Host::execute() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Copies above the two places, so that neither overwrites the other.
  const int listeners[] = {fcntl(listener_, F_DUPFD_CLOEXEC, 10), fcntl(redis_, F_DUPFD_CLOEXEC, 10)};
  for (int i = 0; i < 2; ++i) dup2(listeners[i], kFirstHandedOver + i);
  std::vector<std::string> environment = {"LISTEN_FDS=2", "LISTEN_FDNAMES=ingest:redis",
                                          "LISTEN_PID=" + std::to_string(getpid()),
                                          "NOTIFY_SOCKET=" + scratch_.file("notify")};
  std::vector<std::string> arguments = {program_, "--runtime-dir", scratch_.path(), "--memory", memory_};
  // Its log output would stand between the figures; it goes with the scratch directory.
  const int log = open(scratch_.file("ingestd.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log >= 0) dup2(log, STDERR_FILENO);
  const auto pointers = [](std::vector<std::string>& strings) {
    std::vector<char*> all;
    all.reserve(strings.size() + 1);
    for (auto& text : strings) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  };
  execve(program_.c_str(), pointers(arguments).data(), pointers(environment).data());
  _exit(127);
}

void Host::start_ingestd() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) give_up("no pipe");
  ready_ = false;
  child_ = fork();
  if (child_ < 0) give_up("cannot fork");
  if (child_ == 0) execute();
  close(ends[1]);
  if (!comes(ends[0], POLLIN))
    give_up("ingestd was not executed within 10 s");  // its end: the child's copy was closed by exec
  close(ends[0]);
}

std::uint64_t Host::start_to_end_ns() const {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) give_up("no pipe");
  const pid_t child = fork();
  if (child < 0) give_up("cannot fork");
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDOUT_FILENO);
    execl(program_.c_str(), program_.c_str(), "--version", nullptr);
    _exit(127);
  }
  close(ends[1]);
  if (!comes(ends[0], POLLIN)) give_up("ingestd was not executed within 10 s");
  close(ends[0]);
  const std::uint64_t begin = mono_ns();
  waitpid(child, nullptr, 0);
  return mono_ns() - begin;
}

bool Host::is_ready() {
  char text[512];
  ssize_t length = 0;
  while (!ready_ && (length = recv(notify_, text, sizeof text, MSG_DONTWAIT)) > 0) {
    ready_ =
        std::string_view(text, static_cast<std::size_t>(length)).find("READY=1") != std::string_view::npos;
  }
  return ready_;
}

void Host::wait_ready() {
  while (!is_ready()) {
    if (!comes(notify_, POLLIN))
      give_up("ingestd is not ready after 10 s; it says: " + contents(scratch_.file("ingestd.log")));
  }
}

std::uint64_t Host::kill_ingestd() {
  const std::uint64_t begin = mono_ns();
  kill(child_, SIGKILL);
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  const std::uint64_t took = mono_ns() - begin;
  char rest[512];  // what it still said is not its successor's
  while (recv(notify_, rest, sizeof rest, MSG_DONTWAIT) > 0) {
  }
  return took;
}

int Host::connect_client() const {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, generic(address), sizeof address) != 0) give_up("cannot connect");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

shm::Reader Host::reader() const {
  auto opened = shm::Reader::open(segment());
  if (!opened.ok()) give_up(opened.error().text);
  return std::move(opened.value());
}

void send_all(int fd, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t now = send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (now >= 0) {
      sent += static_cast<std::size_t>(now);
    } else if (errno == EAGAIN) {
      if (!comes(fd, POLLOUT)) give_up("sending: no progress within 10 s");
    } else if (errno != EINTR) {
      give_up(std::string("sending: ") + std::strerror(errno));
    }
  }
}

}  // namespace mayfly::bench
