#include "bench/hostile_flood.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <string_view>

#include "bench/hostile_stack.h"
#include "bench/scratch.h"

namespace mayfly::bench {
namespace {

constexpr int kBacklog = 4096;
constexpr useconds_t kProbePauseUs = 2000;

/// One of many slow writers.
struct SlowWriter {
  int fd = -1;
  std::size_t sent = 0;
  bool done = false;
};

/// True when the answer to the PING at the end has come.
bool has_answer(int fd) {
  char chunk[256];
  const ssize_t got = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
  return got > 0 &&
         std::string_view(chunk, static_cast<std::size_t>(got)).find("+PONG") != std::string_view::npos;
}

void send_next_byte(SlowWriter& writer, std::uint16_t port, const std::string& command, FloodCounts& counts) {
  if (writer.fd < 0) {
    writer.fd = connect_to(port);
    writer.sent = 0;
    counts.connects.fetch_add(1, std::memory_order_relaxed);
    if (writer.fd < 0) return;
  }
  if (writer.sent == command.size()) {
    if (!has_answer(writer.fd)) return;
    writer.done = true;
    counts.commands.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (send(writer.fd, command.data() + writer.sent, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) {
    ++writer.sent;
    counts.sent_bytes.fetch_add(1, std::memory_order_relaxed);
  } else if (errno != EAGAIN) {
    drop(writer.fd);
    writer.fd = -1;
  }
}

}  // namespace

BareServer::BareServer() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, kBacklog) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("cannot listen");
  }
  port_ = ntohs(address.sin_port);
  child_ = fork();
  if (child_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) close(fd);
    }
  }
  close(listener);
}

BareServer::~BareServer() {
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

void write_slowly(std::uint16_t port, std::size_t count,
                  const std::function<std::string(std::size_t)>& command, unsigned round_ms, bool once,
                  FloodCounts& counts, const std::atomic<bool>& stop) {
  std::vector<SlowWriter> writers(count);
  std::size_t left = count;
  while (!stop.load() && (left > 0 || !once)) {
    const std::uint64_t begin = mono_ns();
    left = 0;
    for (std::size_t i = 0; i < count && !stop.load(); ++i) {
      if (!writers[i].done) send_next_byte(writers[i], port, command(i) + "\nPING\n", counts);
      if (!writers[i].done) ++left;
    }
    const std::uint64_t took_ms = (mono_ns() - begin) / 1'000'000;
    if (took_ms < round_ms) usleep(static_cast<useconds_t>(round_ms - took_ms) * 1000);
  }
  for (const SlowWriter& writer : writers) {
    if (writer.fd >= 0) drop(writer.fd);
  }
}

void connect_and_leave(std::uint16_t port, FloodCounts& counts, const std::atomic<bool>& stop) {
  while (!stop.load()) {
    const int fd = connect_to(port);
    if (fd < 0) continue;
    counts.connects.fetch_add(1, std::memory_order_relaxed);
    drop(fd);
  }
}

void connect_and_stay(std::uint16_t port, std::size_t count, FloodCounts& counts,
                      const std::atomic<bool>& stop) {
  std::deque<int> held;
  while (!stop.load()) {
    const int fd = connect_to(port);
    if (fd >= 0) {
      counts.connects.fetch_add(1, std::memory_order_relaxed);
      held.push_back(fd);
    }
    if (held.size() > count) {
      drop(held.front());
      held.pop_front();
    }
  }
  for (const int fd : held) drop(fd);
}

void ask_for(double seconds, Probe& probe, const std::function<bool()>& ask) {
  const std::uint64_t end = mono_ns() + static_cast<std::uint64_t>(seconds * 1e9);
  while (mono_ns() < end) {
    const std::uint64_t begin = mono_ns();
    const bool well = ask();
    // What failed took for ever, as far as its client is concerned.
    probe.durations.add_ns(well ? mono_ns() - begin : static_cast<std::uint64_t>(20e9));
    if (!well) ++probe.failed;
    usleep(kProbePauseUs);
  }
}

bool log_once(std::uint16_t port, const std::string& directory, std::uint64_t number) {
  const int fd = connect_to(port);
  if (fd < 0) return false;
  const std::string text = "LOG " + directory + " probe " + std::to_string(number) + "\nPING\n";
  std::string answer;
  char chunk[512];
  if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size())) {
    for (ssize_t got = 0; answer.find("+PONG\r\n") == std::string::npos;) {
      if ((got = recv(fd, chunk, sizeof chunk, 0)) <= 0) break;
      answer.append(chunk, static_cast<std::size_t>(got));
    }
  }
  drop(fd);
  return answer.find("+PONG\r\n") != std::string::npos;
}

bool be_closed_once(std::uint16_t port) {
  const int fd = connect_to(port);
  if (fd < 0) return false;
  char byte = 0;
  const ssize_t got = recv(fd, &byte, 1, 0);
  drop(fd);
  return got == 0;
}

}  // namespace mayfly::bench
