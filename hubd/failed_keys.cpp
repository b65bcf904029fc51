#include "hubd/failed_keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

namespace mayfly::hubd {

std::string FailedKeys::key_of(std::string_view address, std::string_view server) {
  return std::string(address) + " " + std::string(server);
}

std::string FailedKeys::address_of(std::string_view peer) {
  const std::size_t colon = peer.rfind(':');
  std::string host(colon == std::string_view::npos ? peer : peer.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  in6_addr bytes{};
  if (inet_pton(AF_INET6, host.c_str(), &bytes) != 1 || IN6_IS_ADDR_V4MAPPED(&bytes)) return host;
  std::fill(bytes.s6_addr + 8, bytes.s6_addr + 16, std::uint8_t{0});  // one customer's network
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(AF_INET6, &bytes, text, sizeof text) != nullptr ? text : host;
}

std::uint64_t FailedKeys::lent_ms(std::string_view address, std::string_view server,
                                  std::uint64_t now_ms) const {
  const auto found = by_key_.find(key_of(address, server));
  if (found == by_key_.end() || found->second->full_at_ms <= now_ms) return 0;
  return found->second->full_at_ms - now_ms;
}

bool FailedKeys::may_try(std::string_view address, std::string_view server, std::uint64_t now_ms) const {
  // Each try lends one refill's time; as long as the sum is within the burst, one is left.
  return lent_ms(address, server, now_ms) <= (limits_.burst - 1) * limits_.refill_ms;
}

std::uint64_t FailedKeys::retry_after_s(std::string_view address, std::string_view server,
                                        std::uint64_t now_ms) const {
  const std::uint64_t lent = lent_ms(address, server, now_ms);
  const std::uint64_t allowed = (limits_.burst - 1) * limits_.refill_ms;
  return lent <= allowed ? 1 : (lent - allowed + 999) / 1000;
}

void FailedKeys::forgive(std::string_view address, std::string_view server, std::uint64_t now_ms) {
  const auto found = by_key_.find(key_of(address, server));
  if (found == by_key_.end()) return;
  Entry& entry = *found->second;
  entry.full_at_ms = std::max(entry.full_at_ms, now_ms + limits_.refill_ms) - limits_.refill_ms;
}

void FailedKeys::failed(std::string_view address, std::string_view server, std::uint64_t now_ms) {
  std::string key = key_of(address, server);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
  } else {
    if (entries_.size() == kMaxEntries) {
      by_key_.erase(entries_.back().key);
      entries_.pop_back();
    }
    entries_.push_front({key, 0});
    by_key_.emplace(std::move(key), entries_.begin());
  }
  Entry& entry = entries_.front();
  entry.full_at_ms = std::max(entry.full_at_ms, now_ms) + limits_.refill_ms;
}

}  // namespace mayfly::hubd
