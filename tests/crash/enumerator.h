// The crash-point enumerator: runs random operations on a small segment under the eyes of an Examiner,
// and compares every outcome with the model.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/crash/examiner.h"
#include "tests/crash/table.h"
#include "tests/shm/rig.h"

namespace mayfly::shm::test {

/// What a run is built for. A general workload alone passes with real bugs in: merges, and memory
/// that runs out, must be forced.
enum class Profile { general, merges, pressure };

struct Scene {
  std::uint64_t seed;
  Profile profile;
};

/// The scene of a seed: the profiles take turns.
inline Scene scene_of(std::uint64_t seed) { return {seed, static_cast<Profile>(seed % 3)}; }

/// One segment's life. Throws Finding, or CorruptSegment from inside the writer.
class Enumerator {
 public:
  Enumerator(const Scene& scene, CrashTable& table, CrashCounts& counts);
  /// One random operation.
  void step();

 private:
  struct Entry {
    std::string name;
    Kind kind;
    DirectoryId id;
    ModelDirectory model;
  };

  Quotas general_quotas(Kind kind);
  Quotas narrow_quotas(Kind kind);
  std::uint64_t pick(std::initializer_list<std::uint64_t> of) {
    return *(of.begin() + random_() % of.size());
  }
  std::string key();
  std::string value();
  bool pressure() const { return profile_ == Profile::pressure; }

  void add(Kind kind);
  void remove_and_add(Entry& entry);
  void apply(Entry& entry);
  void unset(Entry& entry);
  void due(Entry& entry);
  void batch(Entry& entry);

  void run(Operation operation, Entry* entry, const std::function<void()>& body);
  void on_store(const StoreSite& site, const Word* word);
  void compare(const Entry& entry);
  Situation situation() const;

  std::mt19937_64 random_;
  Profile profile_;
  CrashTable& table_;
  CrashCounts& counts_;
  bool armed_ = false;
  std::unique_ptr<Rig> rig_;
  std::unique_ptr<Examiner> examiner_;
  std::vector<Entry> entries_;
  int births_ = 0;
  // of the operation at hand
  Operation operation_ = Operation::open;
  Directory* directory_ = nullptr;
  Commit before_{};
  Directory::Turnover turnover_before_;
};

}  // namespace mayfly::shm::test
