// One directory in plain memory, asked about by its records and counters. Every test ends with the
// checks that hold always: the sum of the counters, the validator, and the same again after a re-attach.
#pragma once

#include <numeric>
#include <string>

#include "tests/shm/rig.h"

namespace mayfly::shm::test {

/// `stored = records + replaced + evicted` in one directory's answer.
inline void expect_balanced(const DirectoryInfo& d) {
  const std::uint64_t evicted = std::accumulate(d.evicted.begin(), d.evicted.end(), std::uint64_t{0});
  EXPECT_EQ(d.stored, d.records + d.replaced + evicted) << d.name;
}

inline void expect_sound(const Rig& rig) {
  const VerifyReport report = rig.verify();
  EXPECT_TRUE(report.ok) << join(report.errors);
}

class DirectoryFixture : public testing::Test {
 protected:
  /// Begins anew with an empty directory "d".
  void start(Kind kind, const Quotas& quotas, const RigOptions& options = {}) {
    check();
    rig_ = std::make_unique<Rig>(options);
    kind_ = kind;
    id_ = rig_->open("d", kind, quotas);
  }
  void TearDown() override { check(); }
  /// What holds whatever was done; ends with a re-attach.
  void check() {
    if (rig_ == nullptr) return;
    const std::string before = text();
    if (before != "absent") expect_balanced(info());
    expect_sound(*rig_);
    rig_->attach();
    EXPECT_EQ(text(), before) << "a re-attach changed what is seen";
    expect_sound(*rig_);
  }

  Verdict append(std::string_view key, std::string_view value) { return rig_->append(id_, key, value); }
  bool stored(std::string_view key, std::string_view value) { return append(key, value).stored; }
  /// The cause for which the record is dropped; fails the test when it is not.
  std::string drop(std::string_view key, std::string_view value) {
    const Verdict verdict = append(key, value);
    return verdict.stored ? "stored" : std::string(cause_name(verdict.cause));
  }
  void apply(const Quotas& quotas) { rig_->apply(id_, kind_, "d", quotas); }
  void evict_due() {
    rig_->state().now = rig_->clocks.now();
    rig_->engine->with_directory(rig_->state(), id_,
                                 [&](Directory& d) { d.evict_due(rig_->state(), ~0ull); });
  }
  DirectoryInfo info() {
    auto found = rig_->reader().find("d");
    return found ? *found : DirectoryInfo{};
  }
  std::uint64_t evicted(EvictCause cause) { return info().evicted[static_cast<std::size_t>(cause)]; }
  std::uint64_t dropped(DropCause cause) { return info().dropped[static_cast<std::size_t>(cause)]; }
  std::uint64_t evicted_in_all() {
    const DirectoryInfo d = info();
    return std::accumulate(d.evicted.begin(), d.evicted.end(), std::uint64_t{0});
  }
  /// Live records, oldest first: "a=1 b=2".
  std::string contents() {
    Reader reader = rig_->reader();
    const Reader::Snapshot snapshot = reader.snapshot(info());
    EXPECT_FALSE(snapshot.partial);
    std::string text;
    for (const RecordView& r : snapshot.records) {
      text += (text.empty() ? "" : " ") + std::string(r.key) + "=" + std::string(r.value);
    }
    return text;
  }
  std::string text() {
    Reader reader = rig_->reader();
    return describe(reader, "d");
  }
  Directory::Turnover turnover() { return rig_->engine->directories[id_]->turnover; }

  std::unique_ptr<Rig> rig_;
  Kind kind_ = Kind::log;
  DirectoryId id_ = 0;
};

/// Default quotas with room, for tests that lower one of them.
inline Quotas roomy() {
  Quotas q;
  q.max_keys = 100'000;
  q.max_key_bytes = 16 << 20;
  q.max_value_bytes = 16 << 20;
  q.max_total_bytes = q.max_bytes_per_key = 1ull << 40;
  q.max_events_per_key = 1'000'000;
  return q;
}

}  // namespace mayfly::shm::test
