#include "supervisor/demo.h"

#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/un.h>

#include <cstdio>
#include <cstring>

namespace mayfly::supervisor {

namespace {

constexpr std::uint64_t kPeriodMs = 1000;

}  // namespace

std::string demo_commands(unsigned long long tick) {
  struct sysinfo system {};
  if (::sysinfo(&system) != 0) return "";
  const double load = static_cast<double>(system.loads[0]) / (1 << SI_LOAD_SHIFT);
  const unsigned long long free_mib =
      (static_cast<unsigned long long>(system.freeram) * system.mem_unit) >> 20;
  char text[640];
  const int size =
      std::snprintf(text, sizeof text,
                    "LOG demo machine tick %llu: load %.2f, %llu MiB free, %u processes\n"
                    "STATUS demo-status load-1m %.2f\n"
                    "STATUS demo-status free-mib %llu\n"
                    "STATUS demo-status uptime-seconds %ld\n",
                    tick, load, free_mib, static_cast<unsigned>(system.procs), load, free_mib, system.uptime);
  return std::string(text, static_cast<std::size_t>(size));
}

DemoWriter::DemoWriter(uv_loop_t* loop, std::string socket_path) : socket_path_(std::move(socket_path)) {
  uv_timer_init(loop, &timer_);
  timer_.data = this;
}

void DemoWriter::start() {
  uv_timer_start(
      &timer_, [](uv_timer_t* timer) { static_cast<DemoWriter*>(timer->data)->tick(); }, 0, kPeriodMs);
}

void DemoWriter::stop() {
  socket_.reset();
  auto* handle = reinterpret_cast<uv_handle_t*>(&timer_);
  if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
}

bool DemoWriter::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
  socket_ = std::move(fd);
  return true;
}

void DemoWriter::tick() {
  if (!socket_ && !connect()) return;
  char pushed[4096];  // GO and STOP, of no interest here
  const ssize_t got = ::recv(socket_.get(), pushed, sizeof pushed, MSG_DONTWAIT);
  const std::string commands = demo_commands(ticks_++);
  const ssize_t sent =
      got == 0 ? -1 : ::send(socket_.get(), commands.data(), commands.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  // Half a line cannot be taken back: the connection goes, and the server drops the half.
  if (sent != static_cast<ssize_t>(commands.size())) socket_.reset();
}

}  // namespace mayfly::supervisor
