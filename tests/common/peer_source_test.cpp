#include "common/peer_source.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace mayfly {
namespace {

using Verdict = ConnectionCounter::Verdict;

/// The source of a connection over loopback from `from`; nobody in particular where that address is not
/// there.
PeerSource source_from(const std::string& from) {
  const bool v6 = from.find(':') != std::string::npos;
  sockaddr_in6 to6{};
  sockaddr_in to4{};
  to6.sin6_family = AF_INET6;
  to6.sin6_addr = in6addr_loopback;
  to4.sin_family = AF_INET;
  to4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* to = v6 ? reinterpret_cast<sockaddr*>(&to6) : reinterpret_cast<sockaddr*>(&to4);
  socklen_t length = v6 ? sizeof to6 : sizeof to4;
  const int family = v6 ? AF_INET6 : AF_INET;
  const int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  if (!v6) {
    inet_pton(AF_INET, from.c_str(), &own.sin_addr);
    EXPECT_EQ(bind(client, reinterpret_cast<sockaddr*>(&own), sizeof own), 0);
  }
  PeerSource found;
  if (bind(listener, to, length) == 0 && listen(listener, 1) == 0 &&
      getsockname(listener, to, &length) == 0 && connect(client, to, length) == 0) {
    const int accepted = accept(listener, nullptr, nullptr);
    found = PeerSource::of(accepted);
    close(accepted);
  }
  close(client);
  close(listener);
  return found;
}

TEST(PeerSource, IsTheAddressAndNotThePort) {
  EXPECT_EQ(source_from("127.0.0.1"), source_from("127.0.0.1"));
  EXPECT_NE(source_from("127.0.0.1"), source_from("127.0.0.2"));
  EXPECT_NE(source_from("127.0.0.1"), PeerSource());
}

TEST(PeerSource, OfAUnixSocketIsItsUser) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const PeerSource user = PeerSource::of(ends[0]);
  EXPECT_EQ(user, PeerSource::of(ends[1]));
  EXPECT_NE(user, PeerSource());
  EXPECT_NE(user, source_from("127.0.0.1"));
  close(ends[0]);
  close(ends[1]);
}

TEST(PeerSource, OfNothingIsNobody) { EXPECT_EQ(PeerSource::of(-1), PeerSource()); }

TEST(ConnectionCounter, CountsAllAndEachSource) {
  ConnectionCounter counter(3, 2);
  const PeerSource one = source_from("127.0.0.1");
  const PeerSource other = source_from("127.0.0.2");
  EXPECT_EQ(counter.enter(one), Verdict::admitted);
  EXPECT_EQ(counter.enter(one), Verdict::admitted);
  EXPECT_EQ(counter.enter(one), Verdict::source_full);
  EXPECT_EQ(counter.enter(other), Verdict::admitted);
  EXPECT_EQ(counter.enter(other), Verdict::full);
  EXPECT_EQ(counter.total(), 3u);
  counter.leave(one);
  EXPECT_EQ(counter.enter(other), Verdict::admitted);
  EXPECT_EQ(counter.enter(one), Verdict::full);
  counter.leave(other);
  EXPECT_EQ(counter.enter(one), Verdict::admitted);
}

}  // namespace
}  // namespace mayfly
