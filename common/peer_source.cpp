#include "common/peer_source.h"

#include <netinet/in.h>

#include <cstring>
#include <functional>
#include <string_view>

namespace mayfly {
namespace {

enum : std::uint8_t { kNobody = 0, kV4 = 4, kV6 = 6, kUser = 7 };
constexpr std::size_t kV6PrefixBytes = 8;
constexpr std::size_t kV4InV6At = 12;

}  // namespace

PeerSource PeerSource::of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return of(fd, address);
}

PeerSource PeerSource::of(int fd, const sockaddr_storage& address) {
  PeerSource source;
  const auto set = [&source](std::uint8_t kind, const void* from, std::size_t bytes) {
    source.bytes_[0] = kind;
    std::memcpy(source.bytes_.data() + 1, from, bytes);
  };
  if (address.ss_family == AF_INET) {
    set(kV4, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, sizeof(in_addr));
  } else if (address.ss_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
      set(kV4, v6.s6_addr + kV4InV6At, sizeof(in_addr));
    } else {
      set(kV6, v6.s6_addr, kV6PrefixBytes);
    }
  } else if (address.ss_family == AF_UNIX) {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0)
      set(kUser, &peer.uid, sizeof peer.uid);
  }
  return source;
}

std::size_t PeerSource::Hash::operator()(const PeerSource& source) const {
  return std::hash<std::string_view>()(
      {reinterpret_cast<const char*>(source.bytes_.data()), source.bytes_.size()});
}

ConnectionCounter::Verdict ConnectionCounter::enter(const PeerSource& source) {
  const std::lock_guard lock(mutex_);
  if (total_ >= limit_) return Verdict::full;
  std::uint64_t& count = of_source_[source];
  if (count >= limit_per_source_) return Verdict::source_full;
  ++count;
  ++total_;
  return Verdict::admitted;
}

void ConnectionCounter::leave(const PeerSource& source) {
  const std::lock_guard lock(mutex_);
  --total_;
  const auto place = of_source_.find(source);
  if (place != of_source_.end() && --place->second == 0) of_source_.erase(place);
}

std::uint64_t ConnectionCounter::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace mayfly
