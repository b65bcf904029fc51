#include "hubd/sessions.h"

#include <algorithm>
#include <iterator>

#include "common/random_key.h"
#include "common/tripcode.h"

namespace mayfly::hubd {
namespace {

constexpr std::size_t kSecretLength = 43;  // what random_key() makes

Sessions::Id id_of(std::string_view secret) { return tripcode(secret); }

}  // namespace

Sessions::Sessions(SessionLimits limits) : limits_(limits) {
  // Without random numbers no session is ever opened, so that the empty key protects nothing then.
  if (shm::Result<std::string> key = random_key(); key.ok()) csrf_key_ = std::move(key.value());
}

shm::Result<std::string> Sessions::open(const User& user, std::uint64_t now_ms) {
  if (csrf_key_.empty()) return shm::Error{shm::Errc::io, "there were no random numbers for sessions"};
  shm::Result<std::string> secret = random_key();
  if (!secret.ok()) return secret;
  expire(now_ms);
  make_room(user.name);
  entries_.push_front({id_of(secret.value()), user.name, blake3(user.password), now_ms, now_ms});
  by_id_.emplace(entries_.front().id, entries_.begin());
  return secret;
}

std::optional<Sessions::Found> Sessions::find(std::string_view secret, std::uint64_t now_ms) {
  if (secret.size() != kSecretLength) return {};
  const auto found = by_id_.find(id_of(secret));
  if (found == by_id_.end()) return {};
  if (has_run_out(*found->second, now_ms)) {
    drop(found->second);
    return {};
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  Entry& entry = entries_.front();
  entry.used_ms = now_ms;
  return Found{entry.id, entry.user, keyed_hash(csrf_key_, entry.id)};
}

bool Sessions::alive(const Id& id, std::uint64_t now_ms) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() && now_ms < found->second->opened_ms + limits_.absolute_ms;
}

void Sessions::end(const Id& id) {
  if (const auto found = by_id_.find(id); found != by_id_.end()) drop(found->second);
}

void Sessions::set_users(const std::vector<User>& users) {
  std::unordered_map<std::string_view, Blake3Hash> passwords;
  for (const User& user : users) passwords.emplace(user.name, blake3(user.password));
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto user = passwords.find(at->user);
    const bool stays = user != passwords.end() && same_hash(user->second, at->password);
    at = stays ? std::next(at) : drop(at);
  }
}

void Sessions::expire(std::uint64_t now_ms) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    at = has_run_out(*at, now_ms) ? drop(at) : std::next(at);
  }
}

bool Sessions::has_run_out(const Entry& entry, std::uint64_t now_ms) const {
  return now_ms >= entry.opened_ms + limits_.absolute_ms || now_ms >= entry.used_ms + limits_.idle_ms;
}

void Sessions::make_room(const std::string& user) {
  std::size_t own = 0;
  auto oldest_own = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (at->user != user) continue;
    ++own;
    oldest_own = at;
  }
  if (own >= limits_.per_user) drop(oldest_own);
  if (entries_.size() >= limits_.total) drop(std::prev(entries_.end()));
}

Sessions::Entries::iterator Sessions::drop(Entries::iterator at) {
  by_id_.erase(at->id);
  return entries_.erase(at);
}

}  // namespace mayfly::hubd
