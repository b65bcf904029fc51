// The control segment: relayd's word to ingestd. One writer (relayd), read-only readers. It holds
// the rules (directories and quotas) of the last complete answer of the hub, and the flag
// "somebody waits for news of the data segment".
//
// Publication is one generation word and two copies: a reader sees the old rules or the new ones,
// never a mixture, and a writer killed at any instruction leaves the old ones in force.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/clock.h"
#include "shm/quotas.h"
#include "shm/result.h"

namespace mayfly::shm {

/// The most rules that fit; more are refused by publish().
inline constexpr std::size_t kMaxRules = 4096;
inline constexpr std::size_t kMaxVersionBytes = 63;

/// One entry of the relay's list: an exact name, or a pattern (`*` is its only metacharacter).
struct Rule {
  Kind kind = Kind::log;
  bool pattern = false;
  std::string name;  // the name, or the pattern
  Quotas quotas;
  std::uint64_t max_directories = 64;  // patterns only
  /// Set by publish(): grows each time this rule (kind, pattern, name) appears where it was not
  /// before. A directory whose rule has another birth than when it was opened was removed in between.
  std::uint64_t birth = 0;

  friend bool operator==(const Rule&, const Rule&) = default;
};

struct Rules {
  std::string version;  // the hub's, opaque, at most kMaxVersionBytes
  bool paused = false;
  std::vector<Rule> rules;  // in the hub's order

  friend bool operator==(const Rules&, const Rules&) = default;
};

struct ControlState {
  std::uint64_t instance = 0;  // random, of the control segment's birth
  std::uint64_t serial = 0;    // +1 per publish(); 0: nothing was ever published
  std::optional<Rules> rules;  // absent before the first publish()
};

struct ControlOptions {
  std::string path;  // lock file: path + ".lock"
  std::chrono::milliseconds lock_wait{5000};
  bool require_memory_backed = true;
  unsigned file_mode = 0640;
  std::optional<unsigned> file_group;
  const Clocks* clocks = nullptr;
};

class ControlImpl;

/// The one writer. Not thread-safe, but for set_waiting().
class ControlWriter {
 public:
  /// Locks, then resumes or creates; an unusable file is moved aside. Errors as Writer::open.
  static Result<std::unique_ptr<ControlWriter>> open(const ControlOptions& options);
  ~ControlWriter();

  bool created() const;
  std::string set_aside() const;  // path of an unusable predecessor; empty: none
  ControlState state() const;
  /// Makes `rules` the ones in force and wakes ControlReader::wait(). Errors: invalid; corrupt: the
  /// rules in force were damaged since open(), which would set the file aside.
  Status publish(const Rules& rules);
  /// "Somebody waits": asks the data segment's writer to wake its readers after commits. Any thread.
  void set_waiting(bool waiting);
  /// Tells readers that relayd is alive.
  void heartbeat();
  /// True when the file was truncated under the writer; a new open() sets the rest aside.
  bool torn() const;

 private:
  explicit ControlWriter(std::unique_ptr<ControlImpl> impl);
  std::unique_ptr<ControlImpl> impl_;
};

/// A read-only view. One thread at a time, but for waiting(), wait(), interrupt().
class ControlReader {
 public:
  /// Errors: not_found, not_ready, wrong_version, corrupt, io.
  static Result<std::unique_ptr<ControlReader>> open(const std::string& path);
  ~ControlReader();

  bool replaced() const;
  std::uint64_t instance() const;
  std::uint64_t serial() const;  // one load: "is there news?"
  /// Errors: corrupt (damaged), not_ready (overtaken too often; try again).
  Result<ControlState> state() const;
  bool waiting() const;  // one load, for use after every batch of commits
  std::uint64_t heartbeat_mono_ns() const;
  /// Sleeps until publish() after `seen_serial`, interrupt(), or the timeout. For a thread of its own.
  void wait(std::uint64_t seen_serial, std::chrono::milliseconds timeout) const;
  /// Ends a wait() in another thread.
  void interrupt();

 private:
  explicit ControlReader(std::unique_ptr<ControlImpl> impl);
  std::unique_ptr<ControlImpl> impl_;
};

}  // namespace mayfly::shm
