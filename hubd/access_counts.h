// What coming in and reading count, as /metrics shows it.
#pragma once

#include <cstdint>
#include <string>

namespace mayfly::hubd {

/// Plain numbers of one loop thread.
struct AccessCounts {
  // Tries to log in, by how they ended.
  std::uint64_t logins = 0;
  std::uint64_t wrong_passwords = 0;
  std::uint64_t limited_logins = 0;   // too many tries
  std::uint64_t busy_logins = 0;      // too many passwords being checked
  std::uint64_t logins_unproven = 0;  // without the form's token, or from another site
  std::uint64_t logins_malformed = 0;
  std::uint64_t logouts = 0;
  // Requests that read, by how they were decided.
  std::uint64_t admitted = 0;
  std::uint64_t without_login = 0;
  std::uint64_t wrong_keys = 0;    // of programs: unknown, expired, not yet valid
  std::uint64_t limited_keys = 0;  // after too many wrong ones
  std::uint64_t without_right = 0;
  std::uint64_t other_origins = 0;  // a page of another origin asked for a WebSocket
  std::uint64_t cut_off = 0;        // open answers whose reader lost the right
  // Now:
  std::uint64_t sessions = 0;
  std::uint64_t open_reads = 0;

  /// Appends them in the Prometheus text format.
  void render(std::string& out) const;
};

}  // namespace mayfly::hubd
