// Peers that vanish without a word: a cable, a firewall, a host without power.
#pragma once

#include <chrono>

namespace mayfly {

/// Has the kernel ask a silent peer of a TCP connection whether it is still there; the connection
/// breaks 10 to 20 s after it was not. Other sockets are left as they are. Any thread.
void notice_dead_peer(int fd);

/// True where bytes were sent that the peer has not acknowledged, nor anything else for so long. Such
/// a connection may live once the network is back, but the kernel's next try can be a minute away.
bool peer_is_stalled(int fd, std::chrono::milliseconds silence);

/// close() will drop what was not sent and tell the peer at once, by a reset.
void reset_on_close(int fd);

}  // namespace mayfly
