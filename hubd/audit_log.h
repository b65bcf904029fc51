// Who read what, who came in: the last of it, in memory only.
//
// Reads and arrivals have a ring each, so that a dashboard's polling does not push the logins out,
// nor a stranger's tries the reads. The same once more within a minute counts in the entry it has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mayfly::hubd {

struct AuditEntry {
  enum class Event { started, read, login, login_failed, login_limited, logout, key_refused, cut_off };

  Event event = Event::read;
  std::string reader;       // a user's or a key's name; as typed, for logins
  std::string reader_kind;  // "person", "program", "everybody"; empty: nobody known
  std::string address;      // without the port
  std::string server;       // empty: none, or several
  std::string method;
  std::string path;            // without its parameters: they may hold what was searched for
  int status = 0;              // 0: the reader left before there was an answer
  std::uint64_t first_ns = 0;  // wall clock
  std::uint64_t last_ns = 0;
  std::uint64_t times = 1;
};

/// A stable word: "read", "login_failed", ...
std::string_view audit_event_name(AuditEntry::Event event);

/// Belongs to the loop's thread.
class AuditLog {
 public:
  static constexpr std::size_t kMaxReads = 1024;
  static constexpr std::size_t kMaxArrivals = 512;
  static constexpr std::size_t kMaxTextBytes = 256;  // of each text
  static constexpr std::uint64_t kOneEntryNs = 60'000'000'000;

  /// Texts that are too long are cut. `first_ns` is the time; the rest of the counts is set here.
  void add(AuditEntry entry);
  std::vector<AuditEntry> newest_first() const;

 private:
  struct Ring {
    std::size_t limit;
    std::list<AuditEntry> entries{};  // the newest first
    std::unordered_map<std::string, std::list<AuditEntry>::iterator> by_text{};
    void add(AuditEntry entry);
  };
  static std::string text_of(const AuditEntry& entry);

  Ring reads_{kMaxReads};
  Ring arrivals_{kMaxArrivals};
};

}  // namespace mayfly::hubd
