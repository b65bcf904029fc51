#include "common/dead_peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace mayfly {
namespace {

// Asked after a few seconds of silence, then twice more. No TCP_USER_TIMEOUT: it would also end who
// merely reads slowly.
constexpr int kSilenceS = 5;
constexpr int kSpreadS = 7;
constexpr int kBetweenS = 2;
constexpr int kQuestions = 3;

}  // namespace

void notice_dead_peer(int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  // Ten thousand connections of one moment must not all be asked in one moment: questions and
  // answers that overflow a queue of the kernel would look like ten thousand dead peers.
  const int silence = kSilenceS + fd % kSpreadS;
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &silence, sizeof silence);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kBetweenS, sizeof kBetweenS);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kQuestions, sizeof kQuestions);
}

}  // namespace mayfly
