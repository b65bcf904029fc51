// Keys chosen to fall on the same place of the key index.
#pragma once

#include <cstddef>

namespace mayfly::bench {

struct KeysOutcome {
  std::size_t keys = 0;
  double any_ns = 0;        // a record, of keys that nobody chose
  double colliding_ns = 0;  // of keys whose hashes collide without a seed
  std::size_t colliding_stored = 0;
  double known_seed_ns = 0;  // of keys chosen with the segment's seed, which no client is told
  std::size_t known_seed_stored = 0;
};

/// In process, on a segment of its own: the medians of several rounds.
KeysOutcome run_keys();

}  // namespace mayfly::bench
