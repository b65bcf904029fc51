#include "common/dead_peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace mayfly {
namespace {

// Asked after 6 s of silence, then twice more. No TCP_USER_TIMEOUT: it would also end who merely
// reads slowly.
constexpr int kSilenceS = 6;
constexpr int kBetweenS = 2;
constexpr int kQuestions = 2;

}  // namespace

void notice_dead_peer(int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kSilenceS, sizeof kSilenceS);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kBetweenS, sizeof kBetweenS);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kQuestions, sizeof kQuestions);
}

}  // namespace mayfly
