// Peers that vanish without a word: a cable, a firewall, a host without power.
#pragma once

namespace mayfly {

/// Has the kernel ask a silent peer of a TCP connection whether it is still there; the connection
/// breaks 10 to 20 s after it was not. Other sockets are left as they are. Any thread.
void notice_dead_peer(int fd);

}  // namespace mayfly
