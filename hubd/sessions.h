// Who is logged in. In memory only: a restart of the hub ends every session.
//
// A session's id is 256 random bits that only its owner's browser has; here is a hash of it. What
// the owner may read is not kept: rights are looked up in the configuration at each request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/blake3.h"
#include "hubd/hub_config.h"

namespace mayfly::hubd {

/// Times are those of the loop, in ms.
struct SessionLimits {
  std::size_t per_user = 16;  // one more ends the one that was used longest ago
  std::size_t total = 4096;   // likewise
  std::uint64_t idle_ms = 8ull * 3600 * 1000;
  std::uint64_t absolute_ms = 7ull * 24 * 3600 * 1000;
};

/// Belongs to the loop's thread.
class Sessions {
 public:
  /// A hash of the id in the cookie; tells nothing about it.
  using Id = std::string;

  struct Found {
    Id id;
    std::string user;
    std::string csrf;  // what a request that changes something has to bring along
  };

  explicit Sessions(SessionLimits limits = {});

  /// Returns the new session's secret id, for its cookie. Error: io (no random numbers).
  shm::Result<std::string> open(const User& user, std::uint64_t now_ms);
  /// The session of that secret id, which counts as used with this.
  std::optional<Found> find(std::string_view secret, std::uint64_t now_ms);
  /// Whether it still runs; does not count as use.
  bool alive(const Id& id, std::uint64_t now_ms) const;
  void end(const Id& id);

  /// Ends the sessions of those who are gone or have another password now.
  void set_users(const std::vector<User>& users);
  /// Forgets what has run out.
  void expire(std::uint64_t now_ms);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Id id;
    std::string user;
    Blake3Hash password;  // of the password's hash
    std::uint64_t opened_ms = 0;
    std::uint64_t used_ms = 0;
  };
  using Entries = std::list<Entry>;  // the last one used first

  bool has_run_out(const Entry& entry, std::uint64_t now_ms) const;
  void make_room(const std::string& user);
  Entries::iterator drop(Entries::iterator at);

  SessionLimits limits_;
  std::string csrf_key_;
  Entries entries_;
  std::unordered_map<Id, Entries::iterator> by_id_;
};

}  // namespace mayfly::hubd
