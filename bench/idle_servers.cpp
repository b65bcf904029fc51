// A hub with many servers that poll and are asked little: memory per server, processor time at rest,
// and how long a request takes from a reader through hub and server back.
//
// MAYFLY_BENCH_SERVERS (10000), MAYFLY_BENCH_RATE (1000 requests a second), MAYFLY_BENCH_SECONDS (10).
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/line_socket.h"
#include "bench/scratch.h"
#include "bench/timing.h"
#include "common/text.h"
#include "common/tripcode.h"
#include "common/tunnel_wire.h"

namespace {

using mayfly::bench::Durations;
using mayfly::bench::give_up;
using mayfly::bench::LineSocket;
using mayfly::bench::mono_ns;
using mayfly::bench::Scratch;

constexpr std::uint64_t kPatienceNs = 60'000'000'000;
constexpr std::size_t kReaders = 64;
constexpr std::size_t kAnswerers = 32;

std::size_t setting(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string name_of(std::size_t server) { return "server-" + std::to_string(server); }
std::string key_of(std::size_t server) { return "a-key-of-a-benchmark-" + std::to_string(server); }

/// hubd on a file with that many servers, listening at a socket handed over.
class HubProcess {
 public:
  explicit HubProcess(std::size_t servers) {
    std::ofstream file(scratch_.file("hub.yaml"));
    file << "servers:\n";
    for (std::size_t i = 0; i < servers; ++i) {
      file << "  - {name: " << name_of(i) << ", tripcode: \"" << mayfly::tripcode(key_of(i)) << "\"}\n";
    }
    file << "directories: []\n";
    file.close();
    listen_here();
    start();
  }
  ~HubProcess() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    close(listener_);
  }
  HubProcess(const HubProcess&) = delete;
  HubProcess& operator=(const HubProcess&) = delete;

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return child_; }

 private:
  void listen_here() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 4096) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      give_up("cannot listen");
    }
    port_ = ntohs(address.sin_port);
  }

  void start() {
    child_ = fork();
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = open(scratch_.file("hubd.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, STDERR_FILENO);
    dup2(fcntl(listener_, F_DUPFD, 10), 3);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_FDNAMES", "hub", 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    const std::string file = scratch_.file("hub.yaml");
    execl(MAYFLY_BUILT_BIN "/hubd", "hubd", "--config", file.c_str(), nullptr);
    _exit(127);
  }

  Scratch scratch_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  pid_t child_ = -1;
};

/// KiB, of a line "Name:  123 kB" of a file below /proc.
double kib_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    double value = 0;
    if (word == name + ":" && file >> value) return value;
  }
  return 0;
}

/// Kernel memory: of sockets' buffers, and of the objects themselves.
double kernel_kib() {
  std::ifstream file("/proc/net/sockstat");
  std::string word;
  double pages = 0;
  while (file >> word) {
    if (word == "TCP:") {
      while (file >> word && word != "mem") {
      }
      file >> pages;
      break;
    }
  }
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024 + kib_of("/proc/meminfo", "Slab");
}

double cpu_seconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  text.erase(0, text.rfind(')') + 2);
  char* at = text.data();
  double ticks = 0;
  for (int field = 4; field <= 15; ++field) {  // 14 and 15: in user mode, in the kernel
    while (*at != ' ') ++at;
    ++at;
    if (field == 14 || field == 15) ticks += std::strtod(at, nullptr);
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// All servers of the hub, and its readers, in this one process.
class Fleet {
 public:
  Fleet(std::uint16_t port, std::size_t servers)
      : port_(port),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        head_(mayfly::base64_encode(mayfly::encode_head({200, {{"content-length", "2"}}}))) {
    polls_.reserve(servers);
  }
  ~Fleet() { close(epoll_); }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  void add_server() {
    const std::size_t server = polls_.size();
    polls_.push_back(std::make_unique<LineSocket>(
        epoll_, port_, [this, server](LineSocket& socket, std::string_view head, std::string_view body) {
          polled(server, socket, head, body);
        }));
    poll(server, *polls_.back());
  }

  /// Waits until the hub answers.
  void wait_for_hub() {
    bool answered = false;
    LineSocket socket(epoll_, port_, [&](auto&, auto, auto) { answered = true; });
    socket.send("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    for (const std::uint64_t end = mono_ns() + kPatienceNs; !answered;) {
      if (mono_ns() > end) give_up("the hub does not answer");
      turn(10);
    }
  }

  /// Connections that rest are closed by the hub in time, so these come last.
  void add_readers() {
    for (std::size_t i = 0; i < kAnswerers; ++i) {
      answerers_.push_back(std::make_unique<LineSocket>(epoll_, port_, [](auto&, auto, auto) {}));
    }
    for (std::size_t i = 0; i < kReaders; ++i) {
      readers_.push_back(
          std::make_unique<LineSocket>(epoll_, port_, [this, i](auto&, std::string_view head, auto) {
            if (head.find(" 200 ") == std::string_view::npos) give_up("a reader got: " + std::string(head));
            latency_.add_ns(mono_ns() - asked_[i]);
            free_.push_back(i);
          }));
      free_.push_back(i);
    }
    asked_.resize(kReaders);
  }

  /// Asks a server for something. False: all readers wait for an answer.
  bool ask() {
    if (free_.empty()) return false;
    const std::size_t reader = free_.front();
    free_.pop_front();
    asked_[reader] = mono_ns();
    readers_[reader]->send("GET /frontend/servers/" + name_of(random_() % polls_.size()) +
                           "/x HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    return true;
  }

  void turn(int timeout_ms) {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, timeout_ms);
    for (int i = 0; i < count; ++i) static_cast<LineSocket*>(events[i].data.ptr)->readable();
  }

  std::size_t idle_readers() const { return free_.size(); }
  const Durations& latency() const { return latency_; }
  std::size_t answered() const { return answered_; }

 private:
  void poll(std::size_t server, LineSocket& socket) {
    socket.send("GET /7ZSFUKGV/http_listen/" + name_of(server) +
                " HTTP/1.1\r\naccept: */*\r\nx-apikey: " + key_of(server) + "\r\nhost: 127.0.0.1\r\n\r\n");
  }

  void polled(std::size_t server, LineSocket& socket, std::string_view head, std::string_view body) {
    poll(server, socket);
    if (head.find(" 204 ") != std::string_view::npos) return;
    const auto requests = mayfly::decode_requests(body);
    if (!requests.ok()) give_up("a server got: " + std::string(head));
    for (const auto& request : requests.value()) {
      answerers_[answered_++ % kAnswerers]->send(
          "POST /7ZSFUKGV/http_response/" + request.id + " HTTP/1.1\r\n" +
          std::string(mayfly::kTunnelHeadHeader) + ": " + head_ +
          "\r\ncontent-length: 2\r\nx-apikey: " + key_of(server) + "\r\nhost: 127.0.0.1\r\n\r\nok");
    }
  }

  std::uint16_t port_;
  int epoll_;
  std::string head_;
  std::vector<std::unique_ptr<LineSocket>> polls_;
  std::vector<std::unique_ptr<LineSocket>> answerers_;
  std::vector<std::unique_ptr<LineSocket>> readers_;
  std::deque<std::size_t> free_;
  std::vector<std::uint64_t> asked_;
  std::minstd_rand random_{1};
  std::size_t answered_ = 0;
  Durations latency_{"a reader's request to its answer"};
};

void wait_ns(Fleet& fleet, std::uint64_t ns) {
  for (const std::uint64_t end = mono_ns() + ns; mono_ns() < end;) fleet.turn(10);
}

void ask_at_rate(Fleet& fleet, std::size_t rate, std::uint64_t ns) {
  const std::uint64_t begin = mono_ns();
  std::uint64_t asked = 0;
  std::uint64_t late = 0;
  while (mono_ns() - begin < ns) {
    const std::uint64_t due = (mono_ns() - begin) * rate / 1'000'000'000;
    while (asked < due && fleet.ask()) ++asked;
    if (asked < due) ++late;
    fleet.turn(1);
  }
  for (const std::uint64_t end = mono_ns() + kPatienceNs; fleet.idle_readers() < kReaders;) {
    if (mono_ns() > end) give_up("answers are missing");
    fleet.turn(10);
  }
  std::printf("%llu requests at %zu a second; %llu times all %zu readers were waiting\n",
              static_cast<unsigned long long>(asked), rate, static_cast<unsigned long long>(late), kReaders);
}

void run() {
  const std::size_t servers = setting("MAYFLY_BENCH_SERVERS", 10'000);
  const rlimit files{servers + 1024, servers + 1024};
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files) != 0) {
    give_up("may not open that many sockets; set MAYFLY_BENCH_SERVERS");
  }
  HubProcess hub(servers);
  Fleet fleet(hub.port(), servers);
  fleet.wait_for_hub();
  const std::string rollup = "/proc/" + std::to_string(hub.pid()) + "/smaps_rollup";
  const double pss_before = kib_of(rollup, "Pss");
  const double kernel_before = kernel_kib();
  for (std::size_t i = 0; i < servers; ++i) {
    fleet.add_server();
    if (i % 64 == 0) fleet.turn(0);
  }
  wait_ns(fleet, 2'000'000'000);
  const double count = static_cast<double>(servers);
  std::printf("%zu servers, each with a poll open (target: PSS <= 8 KiB a server)\n", servers);
  std::printf("PSS of hubd %.1f MiB before, %.1f MiB with them: %.2f KiB a server\n", pss_before / 1024,
              kib_of(rollup, "Pss") / 1024, (kib_of(rollup, "Pss") - pss_before) / count);
  std::printf("kernel memory, both ends of each connection: %.2f KiB a server\n",
              (kernel_kib() - kernel_before) / count);
  const double cpu = cpu_seconds(hub.pid());
  wait_ns(fleet, 10'000'000'000);
  std::printf("hubd at rest: %.2f %% of a processor\n", (cpu_seconds(hub.pid()) - cpu) * 10);
  fleet.add_readers();
  const double busy = cpu_seconds(hub.pid());
  const std::size_t seconds = setting("MAYFLY_BENCH_SECONDS", 10);
  ask_at_rate(fleet, setting("MAYFLY_BENCH_RATE", 1000), seconds * 1'000'000'000);
  std::puts("(target: p99 <= 10 ms)");
  fleet.latency().print();
  std::printf("hubd: %.0f us of processor time a request\n",
              (cpu_seconds(hub.pid()) - busy) * 1e6 / static_cast<double>(fleet.latency().count()));
}

}  // namespace

int main() {
  signal(SIGPIPE, SIG_IGN);
  try {
    run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_idle_servers: %s\n", error.what());
    return 1;
  }
  return 0;
}
