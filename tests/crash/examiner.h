// Looks at a segment as a kill -9 would have left it: what readers see, recovery, a second kill
// inside recovery, the validator, and going on.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>

#include "shm/engine.h"
#include "tests/crash/digest.h"
#include "tests/crash/shadow.h"
#include "tests/crash/table.h"
#include "tests/shm/rig.h"

namespace mayfly::shm::test {

/// A promise that was not kept. Thrown out of the store at which it was noticed.
struct Finding : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What was examined, and how; sums over a process's life.
struct CrashCounts {
  std::uint64_t pending = 0;        // points at which there was something to roll back
  std::uint64_t second_kills = 0;   // recoveries that were killed at one of their own stores
  std::uint64_t continuations = 0;  // recovered segments that took on records, against the model
  std::uint64_t operations = 0;
  std::uint64_t stores = 0;  // of the writer while it worked, examined or not
};

/// One at a time in a process: it takes the store hook. Not thread-safe.
class Examiner {
 public:
  /// `rig` holds the segment under test and outlives the examiner; so do the sums.
  Examiner(Rig& rig, CrashTable& table, CrashCounts& counts, std::uint64_t seed);
  ~Examiner();
  Examiner(const Examiner&) = delete;
  Examiner& operator=(const Examiner&) = delete;

  /// Runs one operation of the writer, and looks at its stores. Throws Finding.
  void run(const std::function<void()>& operation);

  /// What is going on, for the table. To be set before run().
  std::function<Situation()> situation;
  /// Takes on records in a recovered segment; throws Finding when it does not do as a healthy one.
  std::function<void(Engine&, Reader&)> go_on;

 private:
  void on_store(const StoreSite& site, const Word* word);
  bool publishes(std::size_t index) const;
  void expect(const ViewDigest& seen, Reader& reader, const char* when) const;
  void examine();
  void kill_recovery(std::uint64_t stores);
  std::unique_ptr<Engine> attach(Shadow& shadow, const char* when);
  bool same_but_for_epoch() const;

  static inline Examiner* current = nullptr;
  Rig& rig_;
  CrashTable& table_;
  CrashCounts& counts_;
  std::mt19937_64 random_;
  Shadow image_;  // recovered once
  Shadow again_;  // recovered with a kill in between
  Reader live_reader_;
  Reader image_reader_;
  Reader again_reader_;
  ViewDigest expected_;
  bool armed_ = false;
  std::uint64_t recovery_stores_ = 0;
  std::uint64_t countdown_ = 0;
};

}  // namespace mayfly::shm::test
