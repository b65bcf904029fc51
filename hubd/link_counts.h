// What the tunnel counts, as /metrics shows it.
#pragma once

#include <cstdint>
#include <string>

namespace mayfly::hubd {

/// Plain numbers of one loop thread.
struct LinkCounts {
  // Polls of servers, by how they ended.
  std::uint64_t polls_with_work = 0;
  std::uint64_t polls_idle = 0;
  std::uint64_t polls_displaced = 0;  // another poll of the same name came
  std::uint64_t polls_gone = 0;       // the server closed it
  std::uint64_t polls_refused = 0;    // no key, a wrong one, an unknown name, too many tries
  // Readers' requests, by how they ended.
  std::uint64_t answered = 0;
  std::uint64_t cut = 0;          // an answer that broke off
  std::uint64_t cancelled = 0;    // the reader went away
  std::uint64_t timed_out = 0;    // no answer's head in time
  std::uint64_t turned_away = 0;  // too many waited, or no such server
  std::uint64_t broken = 0;       // an answer that cannot be passed on
  std::uint64_t redelivered = 0;  // handed out once more, since the poll that carried it was lost
  // Answers that were not taken.
  std::uint64_t unknown_ids = 0;
  std::uint64_t wrong_keys = 0;
  std::uint64_t bad_heads = 0;
  std::uint64_t body_bytes = 0;  // of answers, passed on
  // Now:
  std::uint64_t parked = 0;
  std::uint64_t waiting = 0;
  std::uint64_t in_flight = 0;

  /// Appends them in the Prometheus text format.
  void render(std::string& out) const;
};

}  // namespace mayfly::hubd
