#include "common/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "common/last_words.h"

namespace mayfly {
namespace {

using shm::Errc;
using shm::Error;

constexpr int kFirstHandedFd = 3;
constexpr std::uint64_t kMaxHandedFds = 1024;
constexpr int kReadyRetries = 5;
constexpr std::chrono::milliseconds kReadyPause{20};

// The value of an environment variable, which is removed: it was meant for this process alone.
std::optional<std::string> take_env(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): start of main
  if (value == nullptr) return std::nullopt;
  std::string copy(value);
  ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
  return copy;
}

std::optional<std::uint64_t> parse_number(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_this_process(const std::optional<std::string>& pid) {
  if (!pid) return false;
  const auto number = parse_number(*pid);
  return number && *number == static_cast<std::uint64_t>(::getpid());
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  std::size_t from = 0;
  while (true) {
    const std::size_t colon = text.find(':', from);
    names.push_back(text.substr(from, colon == std::string::npos ? colon : colon - from));
    if (colon == std::string::npos) return names;
    from = colon + 1;
  }
}

// Should a core come to be in spite of all (the kernel gives a process no say in some settings), then
// without any memory. Before we are not dumpable: the file is root's then. Where it cannot be written,
// the other two stand alone.
void empty_core_filter() {
  const int fd = ::open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  (void)!::write(fd, "0", 1);
  ::close(fd);
}

bool make_private_nonblocking(int fd) {
  const int fd_flags = ::fcntl(fd, F_GETFD);
  const int status_flags = ::fcntl(fd, F_GETFL);
  return fd_flags >= 0 && status_flags >= 0 && ::fcntl(fd, F_SETFD, fd_flags | FD_CLOEXEC) == 0 &&
         ::fcntl(fd, F_SETFL, status_flags | O_NONBLOCK) == 0;
}

// A sockaddr_un for a path or `@abstract`, as bytes; empty when it is neither.
std::string notify_address(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() < 2 || socket.size() >= sizeof(address.sun_path)) return {};
  if (socket[0] != '/' && socket[0] != '@') return {};
  std::memcpy(address.sun_path, socket.data(), socket.size());
  if (socket[0] == '@') address.sun_path[0] = '\0';
  // An abstract name ends where the length says, a path at its NUL.
  const std::size_t length = offsetof(sockaddr_un, sun_path) + socket.size() + (socket[0] == '@' ? 0U : 1U);
  return std::string(reinterpret_cast<const char*>(&address), length);
}

}  // namespace

shm::Status harden_process() {
  install_last_words();
  empty_core_filter();
  struct rlimit none = {0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return shm::os_error(Errc::io, "setting RLIMIT_CORE", errno);
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return shm::os_error(Errc::io, "setting PR_SET_DUMPABLE", errno);
  }
  if (::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return shm::os_error(Errc::io, "ignoring SIGPIPE", errno);
  return {};
}

std::uint64_t raise_file_limit() {
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    struct rlimit wanted = {limit.rlim_max, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return wanted.rlim_cur;
  }
  return limit.rlim_cur;
}

HandedSockets& HandedSockets::operator=(HandedSockets&& other) noexcept {
  std::swap(sockets_, other.sockets_);
  return *this;
}

HandedSockets::~HandedSockets() {
  for (const Socket& socket : sockets_) ::close(socket.fd);
}

shm::Result<HandedSockets> HandedSockets::from_environment() {
  const auto pid = take_env("LISTEN_PID");
  const auto count_text = take_env("LISTEN_FDS");
  const auto names_text = take_env("LISTEN_FDNAMES");
  HandedSockets handed;
  if (!count_text || !is_this_process(pid)) return handed;
  const auto count = parse_number(*count_text);
  if (!count || *count > kMaxHandedFds)
    return Error{Errc::invalid, "LISTEN_FDS is not a number of sockets: " + *count_text};
  if (*count == 0) return handed;
  const auto names = names_text ? split_names(*names_text) : std::vector<std::string>(*count, "unknown");
  if (names.size() != *count)
    return Error{Errc::invalid, "LISTEN_FDNAMES does not name LISTEN_FDS sockets: " + *names_text};
  for (std::size_t i = 0; i < *count; ++i) {
    const int fd = kFirstHandedFd + static_cast<int>(i);
    if (!make_private_nonblocking(fd)) {
      return shm::os_error(Errc::invalid, "socket " + names[i] + " of LISTEN_FDS", errno);
    }
    handed.sockets_.push_back({names[i], fd});
  }
  return handed;
}

std::vector<int> HandedSockets::take(std::string_view name) {
  std::vector<int> taken;
  std::vector<Socket> rest;
  for (const Socket& socket : sockets_) {
    if (socket.name == name) {
      taken.push_back(socket.fd);
    } else {
      rest.push_back(socket);
    }
  }
  sockets_ = std::move(rest);
  return taken;
}

std::vector<std::string> HandedSockets::left() const {
  std::vector<std::string> names;
  for (const Socket& socket : sockets_) names.push_back(socket.name);
  return names;
}

Notifier Notifier::from_environment() {
  const auto socket = take_env("NOTIFY_SOCKET");
  const auto usec = take_env("WATCHDOG_USEC");
  const auto pid = take_env("WATCHDOG_PID");
  Notifier notifier;
  if (!socket) return notifier;
  notifier.address_ = notify_address(*socket);
  if (notifier.address_.empty()) return notifier;
  const auto micros = usec ? parse_number(*usec) : std::nullopt;
  if (micros && *micros > 0 && (!pid || is_this_process(pid))) {
    const auto half = static_cast<std::int64_t>(std::min<std::uint64_t>(*micros / 2000, 3'600'000));
    notifier.watchdog_ = std::chrono::milliseconds(std::max<std::int64_t>(half, 1));
  }
  return notifier;
}

Notifier::Notifier(Notifier&& other) noexcept { *this = std::move(other); }

Notifier& Notifier::operator=(Notifier&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(watchdog_, other.watchdog_);
  owes_ready_ = other.owes_ready_.exchange(owes_ready_);
  return *this;
}

bool Notifier::send(std::string_view message) const {
  if (address_.empty()) return false;
  // One a message: where descriptors or memory ran out once, the next message finds them again.
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  ssize_t sent = 0;
  do {
    sent =
        ::sendto(fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(address_.data()), static_cast<socklen_t>(address_.size()));
  } while (sent < 0 && errno == EINTR);
  ::close(fd);
  return sent == static_cast<ssize_t>(message.size());
}

void Notifier::ready(std::string_view status) const {
  std::string message = "READY=1\n";
  if (!status.empty()) message.append("STATUS=").append(status).append("\n");
  bool told = send(message);
  for (int i = 0; enabled() && !told && i < kReadyRetries; ++i) {
    std::this_thread::sleep_for(kReadyPause);
    told = send(message);
  }
  owes_ready_ = !told;
}

void Notifier::watchdog() const {
  if (owes_ready_) owes_ready_ = !send("READY=1\n");
  send("WATCHDOG=1\n");
}
void Notifier::stopping() const { send("STOPPING=1\n"); }

// Handles live until the loop has closed them, which may be after the trap is gone: each keeps the
// shared part alive by a reference of its own.
struct SignalTrap::Shared {
  Handler handler;
  std::vector<std::unique_ptr<uv_signal_t>> handles;
  std::size_t open = 0;
  std::shared_ptr<Shared> self;
};

SignalTrap::SignalTrap(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

shm::Result<std::unique_ptr<SignalTrap>> SignalTrap::start(uv_loop_t* loop,
                                                           std::initializer_list<int> signals,
                                                           Handler handler) {
  auto shared = std::make_shared<Shared>();
  shared->handler = std::move(handler);
  std::unique_ptr<SignalTrap> trap(new SignalTrap(shared));
  for (const int number : signals) {
    auto handle = std::make_unique<uv_signal_t>();
    int failed = uv_signal_init(loop, handle.get());
    if (failed != 0) return Error{Errc::io, std::string("signal handle: ") + uv_strerror(failed)};
    handle->data = shared.get();
    ++shared->open;
    shared->self = shared;
    uv_signal_t* raw = handle.get();
    shared->handles.push_back(std::move(handle));
    failed = uv_signal_start(
        raw, [](uv_signal_t* h, int signal_number) { static_cast<Shared*>(h->data)->handler(signal_number); },
        number);
    if (failed != 0) return Error{Errc::io, std::string("signal handler: ") + uv_strerror(failed)};
    uv_unref(reinterpret_cast<uv_handle_t*>(raw));
  }
  return trap;
}

SignalTrap::~SignalTrap() {
  for (auto& handle : shared_->handles) {
    uv_close(reinterpret_cast<uv_handle_t*>(handle.get()), [](uv_handle_t* h) {
      auto* shared = static_cast<Shared*>(h->data);
      if (--shared->open == 0) {
        const std::shared_ptr<Shared> last = std::move(shared->self);
      }
    });
  }
}

}  // namespace mayfly
