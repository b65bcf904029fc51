// Looks at a segment as a kill -9 would have left it: what readers see, recovery, a second kill
// inside recovery, the validator, and going on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "shm/engine.h"
#include "shm/verify.h"
#include "tests/crash/digest.h"
#include "tests/crash/shadow.h"

namespace mayfly::shm::test {

/// A promise that was not kept. Thrown out of the store at which it was noticed.
struct Finding : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What was examined, and how; sums over a process's life.
struct CrashCounts {
  std::uint64_t images = 0;         // states of the memory that were recovered and checked
  std::uint64_t pending = 0;        // of them, those with something to roll back
  std::uint64_t second_kills = 0;   // recoveries that were killed at one of their own stores
  std::uint64_t continuations = 0;  // recovered segments that took on records, against the model
  std::uint64_t operations = 0;
  std::uint64_t stores = 0;  // of the writer while it worked, examined or not
};

/// One at a time in a process: it takes the store hook. Not thread-safe.
class Examiner {
 public:
  /// `memory` is the segment under test, which the examiner does not change; it, the clocks and the sums
  /// outlive the examiner.
  Examiner(const std::vector<Word>& memory, const Geometry& geometry, const Clocks& clocks,
           CrashCounts& counts, std::uint64_t seed);
  ~Examiner();
  Examiner(const Examiner&) = delete;
  Examiner& operator=(const Examiner&) = delete;

  /// What can be seen now is what was committed.
  void begin();
  /// The word was stored to. Stores to a generation word are the only ones that may change what is seen.
  void stored(std::size_t index);
  /// Looks at the memory as it is now. Throws Finding.
  void examine();
  /// Every store was told of, and what can be seen was committed. Throws Finding.
  void end();

  /// Stores of this process to other memory than the examiner's own.
  std::function<void(const StoreSite&, const Word*)> on_foreign_store;
  /// What is going on, for messages.
  std::function<std::string()> where;
  /// Takes on records in a recovered segment; throws Finding when it does not do as a healthy one.
  std::function<void(Engine&, Reader&)> go_on;

 private:
  void on_store(const StoreSite& site, const Word* word);
  bool publishes(std::size_t index) const;
  void expect(const ViewDigest& seen, Reader& reader, const char* when) const;
  void check_whole(const char* when);
  void kill_recovery(std::uint64_t stores);
  std::unique_ptr<Engine> attach(Shadow& shadow, const char* when);
  bool any_pending() const;

  static inline Examiner* current = nullptr;
  Geometry geometry_;
  const Clocks& clocks_;
  CrashCounts& counts_;
  std::mt19937_64 random_;
  Shadow image_;  // recovered once
  Shadow again_;  // recovered with a kill in between
  Reader live_reader_;
  Reader image_reader_;
  Reader again_reader_;
  ViewDigest expected_;
  std::uint64_t recovery_stores_ = 0;
  std::uint64_t countdown_ = 0;
};

}  // namespace mayfly::shm::test
