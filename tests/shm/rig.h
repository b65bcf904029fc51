// A segment in plain memory with its writer, and clocks that stand still unless told.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "shm/engine.h"
#include "shm/reader.h"
#include "shm/verify.h"
#include "tests/shm/model.h"

namespace mayfly::shm::test {

class FakeClocks final : public Clocks {
 public:
  std::uint64_t wall = 1'700'000'000'000'000'000;
  std::uint64_t boot = 1'000'000'000'000;
  std::uint64_t mono = 500'000'000'000;
  std::uint64_t wall_ns() const override { return wall; }
  std::uint64_t boot_ns() const override { return boot; }
  std::uint64_t mono_ns() const override { return mono; }
  void advance(std::uint64_t ns) { wall += ns, boot += ns, mono += ns; }
  Now now() const { return {wall, boot}; }
};

struct RigOptions {
  std::uint64_t bytes = 512 << 10;
  std::uint32_t page_bytes = 1024;
  std::uint32_t undo_pairs = 512;
  std::uint32_t slots = 4;
  std::uint32_t quarantine = 4;
  std::uint32_t worker_areas = 2;
};

struct CorruptSegment {
  std::string what;
};

/// Owns the memory; attach() may be called again after a "crash".
class Rig {
 public:
  explicit Rig(const RigOptions& options = {}) : options_(options) {
    GeometryRequest request;
    request.bytes = options.bytes;
    request.page_bytes = options.page_bytes;
    request.undo_pairs = options.undo_pairs;
    request.slots = options.slots;
    request.worker_areas = options.worker_areas;
    geometry = plan_geometry(request).value();
    memory.assign(geometry.total_bytes / 8, 0);
    format_segment(memory.data(), geometry, 77, clocks.wall);
    attach();
  }

  void attach() {
    engine.reset();
    auto attached = Engine::attach(memory.data(), geometry, options_.quarantine, clocks);
    ASSERT_TRUE(attached.ok()) << attached.error().text;
    engine = std::move(attached.value());
    engine->corruption_handler = [](const std::string& what) { throw CorruptSegment{what}; };
    engine->roomy_times = Engine::kTightTimes;  // merges shall happen here, often
  }

  Worker worker(std::uint32_t i = 0) { return Worker(*engine->workers[i]); }
  WorkerState& state(std::uint32_t i = 0) { return *engine->workers[i]; }

  DirectoryId open(const std::string& name, Kind kind, const Quotas& quotas = {}) {
    state().now = clocks.now();
    auto id = engine->open_directory(state(), {kind, name, quotas, 1, 1, 1});
    EXPECT_TRUE(id.ok()) << (id.ok() ? "" : id.error().text);
    return id.value();
  }
  Verdict append(DirectoryId id, std::string_view key, std::string_view value) {
    Worker w = worker();
    EXPECT_TRUE(w.begin(id, clocks.now()));
    const Verdict verdict = w.append(key, value);
    w.commit();
    return verdict;
  }
  bool unset(DirectoryId id, std::string_view key) {
    Worker w = worker();
    EXPECT_TRUE(w.begin(id, clocks.now()));
    const bool was = w.unset(key);
    w.commit();
    return was;
  }
  void apply(DirectoryId id, Kind kind, const std::string& name, const Quotas& quotas) {
    state().now = clocks.now();
    EXPECT_TRUE(engine->with_directory(state(), id, [&](Directory& directory) {
      directory.apply_quotas(state(), {kind, name, quotas, 1, 1, 1});
      while (directory.evict_due(state(), 100)) directory.checkpoint(state());
    }));
  }
  Reader reader() { return std::move(Reader::over(memory.data(), geometry.total_bytes, clocks).value()); }

  /// The validator's opinion of a copy of the memory.
  VerifyReport verify() const {
    std::vector<Word> copy = memory;
    VerifyReport report;
    verify_image(copy.data(), geometry, report);
    return report;
  }

  FakeClocks clocks;
  Geometry geometry;
  std::vector<Word> memory;
  std::unique_ptr<Engine> engine;

 private:
  RigOptions options_;
};

inline std::string join(const std::vector<std::string>& errors) {
  std::string all;
  for (const std::string& e : errors) all += e + "\n";
  return all;
}

/// What is in a directory, as text; equal texts are equal views.
inline std::string describe(const DirectoryInfo& d, const std::vector<RecordView>& records) {
  std::string text = "keys " + std::to_string(d.keys) + " records " + std::to_string(d.records) + " bytes " +
                     std::to_string(d.bytes) + " next " + std::to_string(d.next_seq) + " stored " +
                     std::to_string(d.stored) + " replaced " + std::to_string(d.replaced) + " dropped";
  for (const auto n : d.dropped) text += " " + std::to_string(n);
  text += " evicted";
  for (const auto n : d.evicted) text += " " + std::to_string(n);
  const Quotas& q = d.quotas;
  for (const auto n : {q.max_keys, q.max_key_bytes, q.max_value_bytes, q.max_total_bytes, q.max_bytes_per_key,
                       q.max_events_per_key, q.max_age_seconds}) {
    text += " " + std::to_string(n);
  }
  text += q.drop_when_keys_full ? " drop\n" : " evict\n";
  for (const RecordView& r : records) {
    text += std::to_string(r.seq) + " " + std::string(r.key) + "=" + std::to_string(r.value.size()) + ":" +
            std::string(r.value.substr(0, 12)) + "\n";
  }
  return text;
}

inline std::string describe(const ModelDirectory& m) {
  DirectoryInfo d;
  d.keys = m.keys();
  d.records = m.live.size();
  d.bytes = m.bytes();
  d.next_seq = m.next_seq;
  d.stored = m.stored;
  d.replaced = m.replaced;
  d.dropped = m.dropped;
  d.evicted = m.evicted;
  d.quotas = m.quotas;
  std::vector<RecordView> records;
  for (const ModelRecord& r : m.live) records.push_back({r.seq, 0, 0, 0, r.key, r.value});
  return describe(d, records);
}

inline std::string describe(Reader& reader, std::string_view name) {
  const auto info = reader.find(name);
  if (!info) return "absent";
  const Reader::Snapshot s = reader.snapshot(*info);
  return (s.partial ? "PARTIAL " : "") + describe(s.directory, s.records);
}

}  // namespace mayfly::shm::test
