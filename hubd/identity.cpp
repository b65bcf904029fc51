#include "hubd/identity.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "common/tripcode.h"
#include "hubd/cookies.h"
#include "shm/clock.h"

namespace mayfly::hubd {
namespace {

constexpr std::string_view kAnyKey = "scraper key";  // all keys are counted alike

/// X-ApiKey, else `Authorization: Bearer`; null data: neither.
std::string_view presented_key(const HttpRequest& request) {
  if (const std::string* key = request.header("x-apikey")) return *key;
  const std::string* header = request.header("authorization");
  if (header == nullptr || header->size() < 7) return {};
  std::string scheme = header->substr(0, 7);
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return scheme == "bearer " ? std::string_view(*header).substr(7) : std::string_view();
}

const ScraperKey* find_key(const HubConfig& config, const Blake3Hash& hash, std::uint64_t now_ns) {
  const auto fits = [&](const ScraperKey& key) {
    return same_hash(key.hash, hash) && key.not_before_ns <= now_ns && now_ns < key.not_after_ns;
  };
  const auto found = std::find_if(config.scraper_keys.begin(), config.scraper_keys.end(), fits);
  return found == config.scraper_keys.end() ? nullptr : &*found;
}

const User* find_user(const HubConfig& config, const std::string& name) {
  const auto found = std::find_if(config.users.begin(), config.users.end(),
                                  [&](const User& user) { return user.name == name; });
  return found == config.users.end() ? nullptr : &*found;
}

Identity everybody() {
  Identity identity;
  identity.problem = Identity::Problem::none;
  identity.credential.kind = Reader::Kind::everybody;
  identity.reader = std::make_shared<const Reader>(Reader{Reader::Kind::everybody, "", {}});
  return identity;
}

Identity known(Reader::Kind kind, const std::string& name, const std::vector<Right>& rights) {
  Identity identity;
  identity.problem = Identity::Problem::none;
  identity.credential.kind = kind;
  identity.credential.name = name;
  identity.reader = std::make_shared<const Reader>(Reader{kind, name, rights});
  return identity;
}

bool is_address(const std::string& text) {
  in6_addr bytes{};
  return inet_pton(AF_INET, text.c_str(), &bytes) == 1 || inet_pton(AF_INET6, text.c_str(), &bytes) == 1;
}

}  // namespace

std::string client_address(const HttpRequest& request, bool behind_proxy) {
  if (!behind_proxy) return FailedKeys::address_of(request.peer);
  std::string last;
  for (const auto& [name, value] : request.headers) {
    if (name == "x-forwarded-for") last = value.substr(value.rfind(',') + 1);
  }
  last.erase(0, last.find_first_not_of(' '));
  // address_of() takes a port off, which these have not.
  return is_address(last) ? FailedKeys::address_of("[" + last + "]:0") : FailedKeys::address_of(request.peer);
}

Identity Identifier::person_or_program(const HttpRequest& request) {
  if (!needs_login(*config_)) return everybody();
  if (const auto secret = read_cookie(request, kSessionCookie)) {
    const auto session = sessions_.find(*secret, uv_now(loop_));
    if (const User* user = session ? find_user(*config_, session->user) : nullptr) {
      Identity identity = known(Reader::Kind::person, user->name, user->rights);
      identity.credential.session = session->id;
      identity.csrf = session->csrf;
      return identity;
    }
  }
  const std::string_view key = presented_key(request);
  return key.empty() ? Identity() : by_key(request, key);
}

Identity Identifier::program(const HttpRequest& request) {
  const std::string_view key = presented_key(request);
  if (!key.empty()) return by_key(request, key);
  const bool open = !needs_login(*config_) && !config_->behind_proxy && config_->scraper_keys.empty();
  return open ? everybody() : Identity();
}

Identity Identifier::by_key(const HttpRequest& request, std::string_view key) {
  const std::string address = client_address(request, config_->behind_proxy);
  const std::uint64_t now_ms = uv_now(loop_);
  if (!failed_keys_.may_try(address, kAnyKey, now_ms)) {
    ++metrics_.access.limited_keys;
    Identity identity;
    identity.problem = Identity::Problem::too_many_tries;
    identity.retry_after_s = failed_keys_.retry_after_s(address, kAnyKey, now_ms);
    return identity;
  }
  const Blake3Hash hash = blake3(key);
  const ScraperKey* found = find_key(*config_, hash, shm::system_clocks().wall_ns());
  if (found == nullptr) {
    failed_keys_.failed(address, kAnyKey, now_ms);
    return refuse_key(request);
  }
  Identity identity = known(Reader::Kind::program, found->name, found->rights);
  identity.credential.key = hash;
  return identity;
}

Identity Identifier::refuse_key(const HttpRequest& request) {
  ++metrics_.access.wrong_keys;
  AuditEntry entry;
  entry.event = AuditEntry::Event::key_refused;
  entry.address = client_address(request, config_->behind_proxy);
  entry.method = request.method;
  entry.path = request.path.substr(0, request.path.find(';'));
  entry.status = 401;
  entry.first_ns = shm::system_clocks().wall_ns();
  audit_.add(std::move(entry));
  Identity identity;
  identity.problem = Identity::Problem::wrong_key;
  return identity;
}

ReaderPtr Identifier::still(const Credential& credential) const {
  switch (credential.kind) {
    case Reader::Kind::nobody:
      return nullptr;
    case Reader::Kind::everybody:
      return needs_login(*config_) ? nullptr : everybody().reader;
    case Reader::Kind::person: {
      const User* user = find_user(*config_, credential.name);
      if (user == nullptr || !sessions_.alive(credential.session, uv_now(loop_))) return nullptr;
      return known(credential.kind, user->name, user->rights).reader;
    }
    case Reader::Kind::program: {
      const ScraperKey* key = find_key(*config_, credential.key, shm::system_clocks().wall_ns());
      return key == nullptr ? nullptr : known(credential.kind, key->name, key->rights).reader;
    }
  }
  return nullptr;
}

}  // namespace mayfly::hubd
