#include "supervisor/notify.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace mayfly::supervisor {

using shm::Errc;
using shm::Error;
using shm::os_error;
using shm::Result;

namespace {

void read_lines(std::string_view text, Notification& notification) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    notification.ready |= line == "READY=1";
    notification.watchdog |= line == "WATCHDOG=1";
    notification.stopping |= line == "STOPPING=1";
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
}

}  // namespace

Result<NotifySocket> NotifySocket::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{Errc::invalid, path + " is too long for a unix socket"};
  std::memcpy(address.sun_path, path.data(), path.size());
  ::unlink(path.c_str());
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return os_error(Errc::io, "making the notification socket", errno);
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return os_error(Errc::io, "asking for credentials on " + path, errno);
  }
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int bind_errno = errno;
  ::umask(before);
  if (bound != 0) return os_error(Errc::io, "binding " + path, bind_errno);
  return NotifySocket(std::move(fd));
}

std::optional<Notification> NotifySocket::receive() {
  char text[4096];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + 256];
  iovec data{text, sizeof text};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = 0;
  do {
    n = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return std::nullopt;

  Notification notification;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
      notification.pid = credentials.pid;
    } else if (part->cmsg_type == SCM_RIGHTS) {
      // The protocol may carry descriptors; nobody here wants any, so they must not pile up.
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int extra = -1;
        std::memcpy(&extra, CMSG_DATA(part) + i * sizeof(int), sizeof extra);
        ::close(extra);
      }
    }
  }
  read_lines(std::string_view(text, static_cast<std::size_t>(n)), notification);
  return notification;
}

}  // namespace mayfly::supervisor
