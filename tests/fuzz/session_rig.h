// One client of ingestd, whole: a socket pair, the connection with its parser and buffers, the
// session, the batch, the directories' registry, and a real segment behind it. Clocks stand still, and
// each session begins with an empty segment, so that the same bytes always do the same.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ingestd/listener.h"
#include "shm/quotas.h"
#include "tests/fuzz/input.h"

namespace mayfly::fuzz {

/// How a client behaves.
struct SessionManner {
  std::size_t piece_bytes = SIZE_MAX;    // sent at a time; the server reads in between
  bool reads = true;                     // takes the replies
  bool vanishes = false;                 // closes instead of ending its sending side
  std::uint64_t max_buffered = 4 << 20;  // of the server
};

/// What is there afterwards.
struct SessionOutcome {
  std::string replies;
  std::vector<std::string> records;  // of all directories, in their order: "log l 3 key=value"
  std::vector<std::string> totals;   // stored, replaced, evicted and dropped, for each directory
  shm::DropCounts unattributed{};
};

/// Serves one session to its end. Aborts where the segment does not add up or does not verify.
SessionOutcome serve_session(ingestd::Protocol protocol, std::string_view bytes, const SessionManner& manner);

/// Aborts unless `replies` is a sequence of whole RESP replies. `torn`: the last one may be cut off.
void require_replies(std::string_view replies, bool torn);

/// What both dialects' targets do with an input: chooses manners by its first bytes, serves the rest,
/// and serves it again in other pieces, which must come to the same.
void fuzz_session(ingestd::Protocol protocol, std::string_view input);

}  // namespace mayfly::fuzz
