// The control segment, byte for byte: a header, then two copies of the rules. The copy of the
// generation's parity is the one in force.
#pragma once

#include <cstddef>

#include "shm/control.h"
#include "shm/layout.h"

namespace mayfly::shm {

struct ControlHeader {
  HeaderConstants constants;  // magic kControlMagic; pages .. undo_pairs are 0
  Word pad0[7];
  Word ready;
  Word generation;  // the serial; futex word (low half)
  Word waiting;     // 1: the data segment's writer is asked to wake its readers
  Word heartbeat_mono_ns;
  Word pad1[512 - 24 - 4];
};
static_assert(sizeof(ControlHeader) == 4096);

struct ControlRule {
  Word kind;
  Word pattern;
  Word name_bytes;
  Word name[kMaxNameBytes / 8];
  Word max_keys;
  Word max_key_bytes;
  Word max_value_bytes;
  Word max_total_bytes;
  Word max_bytes_per_key;
  Word max_events_per_key;
  Word max_age_seconds;
  Word reserve_bytes;
  Word stale_after_seconds;
  Word drop_when_keys_full;
  Word max_directories;
  Word birth;
  Word spare;
};
static_assert(sizeof(ControlRule) == 32 * 8);

struct ControlCopy {
  Word checksum;  // XXH3 of what follows, up to the last rule
  Word rule_count;
  Word paused;
  Word next_birth;
  Word version_bytes;
  Word version[8];
  Word pad[3];
  ControlRule rules[kMaxRules];
};
static_assert(offsetof(ControlCopy, rules) == 128);

inline constexpr std::size_t kControlBytes =
    (sizeof(ControlHeader) + 2 * sizeof(ControlCopy) + 4095) / 4096 * 4096;

}  // namespace mayfly::shm
