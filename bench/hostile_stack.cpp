#include "bench/hostile_stack.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bench/timing.h"

namespace mayfly::bench {
namespace {

constexpr int kPatienceMs = 30'000;
constexpr int kStopMs = 10'000;
constexpr timeval kSocketDeadline{20, 0};

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// One line of a pipe; empty: none came in time.
std::string read_line(int fd) {
  std::string line;
  pollfd wait{fd, POLLIN, 0};
  char c = 0;
  while (poll(&wait, 1, kPatienceMs) > 0 && read(fd, &c, 1) == 1) {
    if (c == '\n') return line;
    line += c;
  }
  return {};
}

std::uint16_t port_of(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

}  // namespace

std::uint64_t raise_open_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

int connect_to(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kSocketDeadline, sizeof kSocketDeadline);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kSocketDeadline, sizeof kSocketDeadline);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

void drop(int fd) {
  const linger at_once{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
}

HostileStack::HostileStack(const std::string& memory, const std::string& directories) {
  write_hub_file(directories);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) give_up("no pipe");
  child_ = fork();
  if (child_ == 0) execute(ends[1], memory);
  close(ends[1]);
  output_ = ends[0];
  for (std::string line = read_line(output_); !line.empty(); line = read_line(output_)) {
    ready_ = nlohmann::json::parse(line, nullptr, false);
    if (ready_.value("event", "") == "ready") return;
  }
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
  give_up("mayfly up is not ready; it says: " + contents(scratch_.file("log")));
}

void HostileStack::execute(int output, const std::string& memory) const {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int log = open(scratch_.file("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  dup2(log, STDERR_FILENO);
  dup2(output, STDOUT_FILENO);
  const std::string runtime = scratch_.file("run");
  const std::string hub = scratch_.file("hub.yaml");
  execl(MAYFLY_BUILT_BIN "/mayfly", "mayfly", "up", "--json", "--no-demo", "--runtime-dir", runtime.c_str(),
        "--memory", memory.c_str(), "--hub-config", hub.c_str(), "--ingest-port", "0", "--redis-port", "0",
        "--relay-port", "0", "--hub-port", "0", nullptr);
  _exit(127);
}

HostileStack::~HostileStack() {
  kill(child_, SIGTERM);
  const std::uint64_t end = mono_ns() + std::uint64_t{kStopMs} * 1'000'000;
  while (waitpid(child_, nullptr, WNOHANG) == 0) {
    if (mono_ns() > end) kill(child_, SIGKILL);
    usleep(1000);
  }
  close(output_);
}

void HostileStack::write_hub_file(const std::string& directories) const {
  const std::string fresh = scratch_.file("hub.yaml.new");
  std::ofstream(fresh) << "directories:\n" << directories;
  std::filesystem::rename(fresh, scratch_.file("hub.yaml"));
}

void HostileStack::set_directories(const std::string& directories) { write_hub_file(directories); }

std::uint16_t HostileStack::port(const std::string& listener) const {
  return port_of(ready_.at(listener).get<std::string>());
}

pid_t HostileStack::pid(const std::string& program) const {
  return ready_.at("pids").at(program).get<pid_t>();
}

bool HostileStack::all_alive() const {
  const auto now = nlohmann::json::parse(contents(scratch_.file("run/mayfly.json")), nullptr, false);
  return now.is_object() && now.value("pids", nlohmann::json()) == ready_.at("pids");
}

std::string HostileStack::get(const std::string& path) const {
  const int fd = connect_to(port("relay"));
  if (fd < 0) return {};
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
  std::string answer;
  char chunk[65536];
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    for (ssize_t got = 0; (got = recv(fd, chunk, sizeof chunk, 0)) > 0;) {
      answer.append(chunk, static_cast<std::size_t>(got));
    }
  }
  close(fd);
  if (answer.rfind("HTTP/1.1 200", 0) != 0) return {};
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

nlohmann::json HostileStack::directory(const std::string& name) const {
  const auto all = nlohmann::json::parse(get("/api/v1/directories"), nullptr, false);
  if (!all.is_object()) return nullptr;
  for (const auto& entry : all.at("directories")) {
    if (entry.at("name") == name) return entry;
  }
  return nullptr;
}

double HostileStack::metric(const std::string& name) const {
  const std::string text = "\n" + get("/metrics");
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

std::uint64_t HostileStack::own_memory(const std::string& program) const {
  std::ifstream file("/proc/" + std::to_string(pid(program)) + "/smaps_rollup");
  std::string word;
  std::uint64_t kib = 0;
  while (file >> word) {
    if (word == "Anonymous:" && file >> kib) return kib << 10;
  }
  return 0;
}

}  // namespace mayfly::bench
