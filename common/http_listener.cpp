#include "common/http_listener.h"

#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/http_server_core.h"

namespace mayfly {
namespace {

constexpr int kBacklog = 511;

shm::Error uv_failure(const std::string& what, int code) {
  const shm::Errc kind = code == UV_EADDRINUSE ? shm::Errc::busy : shm::Errc::io;
  char text[128];  // uv_strerror() leaks where it knows no text
  return {kind, what + ": " + uv_strerror_r(code, text, sizeof(text))};
}

/// An address from text: numeric, or "localhost".
shm::Result<sockaddr_storage> parse_address(const std::string& host, std::uint16_t port) {
  sockaddr_storage address{};
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  if (uv_ip4_addr(numeric.c_str(), port, reinterpret_cast<sockaddr_in*>(&address)) == 0) return address;
  if (uv_ip6_addr(numeric.c_str(), port, reinterpret_cast<sockaddr_in6*>(&address)) == 0) return address;
  return shm::Error{shm::Errc::invalid, "\"" + host + "\" is not a numeric address"};
}

/// Removes the socket file of a listener that is gone. Errors: busy (it still listens), io.
shm::Status remove_stale_socket(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) return shm::Error{shm::Errc::busy, path + " is there and is not a socket"};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return shm::os_error(shm::Errc::io, "probing " + path, errno);
  const int result = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const bool refused = result != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (!refused) return shm::Error{shm::Errc::busy, path + ": somebody listens there"};
  if (unlink(path.c_str()) != 0) return shm::os_error(shm::Errc::io, "removing " + path, errno);
  return {};
}

shm::Status set_access(const std::string& path, unsigned mode, std::optional<unsigned> group) {
  if (group && chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    return shm::os_error(shm::Errc::io, "changing the group of " + path, errno);
  }
  if (chmod(path.c_str(), mode) != 0)
    return shm::os_error(shm::Errc::io, "changing the mode of " + path, errno);
  return {};
}

}  // namespace

HttpListener::HttpListener(HttpServerCore& server, bool is_tcp) : server_(&server), is_tcp_(is_tcp) {
  if (is_tcp) {
    uv_tcp_init(server.loop(), &handle_.tcp);
  } else {
    uv_pipe_init(server.loop(), &handle_.pipe, 0);
  }
  handle_.any.data = this;
}

void HttpListener::close(std::unique_ptr<HttpListener> listener) {
  HttpListener* self = listener.release();
  self->server_ = nullptr;
  if (!self->made_path_.empty()) unlink(self->made_path_.c_str());
  uv_close(&self->handle_.any, [](uv_handle_t* handle) { delete static_cast<HttpListener*>(handle->data); });
}

shm::Status HttpListener::listen(const std::string& what) {
  const int code = uv_listen(reinterpret_cast<uv_stream_t*>(&handle_), kBacklog, on_connection);
  if (code != 0) return uv_failure("listening on " + what, code);
  return {};
}

shm::Result<std::unique_ptr<HttpListener>> HttpListener::tcp(HttpServerCore& server, const std::string& host,
                                                             std::uint16_t port) {
  const auto address = parse_address(host, port);
  if (!address.ok()) return address.error();
  std::unique_ptr<HttpListener> listener(new HttpListener(server, true));
  const std::string what = host + ":" + std::to_string(port);
  const int code =
      uv_tcp_bind(&listener->handle_.tcp, reinterpret_cast<const sockaddr*>(&address.value()), 0);
  shm::Status status = code == 0 ? listener->listen(what) : uv_failure("binding " + what, code);
  if (status.ok()) return listener;
  close(std::move(listener));
  return status.error();
}

shm::Result<std::unique_ptr<HttpListener>> HttpListener::unix_socket(HttpServerCore& server,
                                                                     const std::string& path, unsigned mode,
                                                                     std::optional<unsigned> group) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return shm::Error{shm::Errc::invalid, path + " is too long for a socket"};
  }
  if (auto stale = remove_stale_socket(path); !stale.ok()) return stale.error();
  std::unique_ptr<HttpListener> listener(new HttpListener(server, false));
  const mode_t mask = umask(0177);  // nobody connects before the mode is right
  const int code = uv_pipe_bind(&listener->handle_.pipe, path.c_str());
  umask(mask);
  shm::Status status;
  if (code == 0) {
    listener->made_path_ = path;
    status = set_access(path, mode, group);
    if (status.ok()) status = listener->listen(path);
  } else {
    status = uv_failure("binding " + path, code);
  }
  if (status.ok()) return listener;
  close(std::move(listener));
  return status.error();
}

shm::Result<std::unique_ptr<HttpListener>> HttpListener::inherited(HttpServerCore& server, int fd) {
  int listening = 0;
  int domain = 0;
  socklen_t size = sizeof(int);
  const std::string what = "inherited descriptor " + std::to_string(fd);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || listening == 0) {
    return shm::Error{shm::Errc::invalid, what + " is not a listening socket"};
  }
  const bool is_tcp = domain == AF_INET || domain == AF_INET6;
  std::unique_ptr<HttpListener> listener(new HttpListener(server, is_tcp));
  const int code =
      is_tcp ? uv_tcp_open(&listener->handle_.tcp, fd) : uv_pipe_open(&listener->handle_.pipe, fd);
  shm::Status status = code == 0 ? listener->listen(what) : uv_failure("taking over " + what, code);
  if (status.ok()) return listener;
  close(std::move(listener));
  return status.error();
}

std::uint16_t HttpListener::port() const {
  sockaddr_storage address{};
  int size = sizeof(address);
  if (!is_tcp_ || uv_tcp_getsockname(&handle_.tcp, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 0;
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

void HttpListener::on_connection(uv_stream_t* stream, int status) {
  auto* self = static_cast<HttpListener*>(stream->data);
  if (self->server_ == nullptr) return;
  if (status != 0) {
    spdlog::warn("accepting a connection: {}", uv_strerror(status));
    return;
  }
  // libuv accepts on and on while there is something to accept; what it is not asked for stops it.
  if (!self->server_->may_accept()) return self->server_->hold_back(self);
  self->server_->accept(stream, self->is_tcp_);
}

void HttpListener::accept_held_back() { server_->accept(reinterpret_cast<uv_stream_t*>(&handle_), is_tcp_); }

}  // namespace mayfly
