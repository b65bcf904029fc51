// The crash-point enumerator: runs random operations, and at chosen stores looks at the memory as a
// kill -9 would have left it. For crash_test.cpp alone.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "tests/shm/rig.h"

namespace mayfly::shm::test {

struct KilledAgain {};

enum class Operation { append_log, append_status, unset, apply_quotas, remove, open, evict_due };
constexpr const char* kOperationNames[] = {"append log", "append status", "unset",    "apply quotas",
                                           "remove",     "open",          "evict due"};

/// A row of the table: what was going on when the writer was killed.
struct Situation {
  Operation operation;
  int cause;  // of the last eviction of the operation so far: -1 none, kEvictCauses = replaced
  bool page_turn;
  bool merge;
  auto operator<=>(const Situation&) const = default;
};

inline std::string cause_text(int cause) {
  if (cause < 0) return "-";
  if (cause == static_cast<int>(kEvictCauses)) return "replaced";
  return std::string(kEvictCauseNames[static_cast<std::size_t>(cause)]);
}

struct Tally {
  std::uint64_t points = 0;
  std::uint64_t second_kills = 0;
  std::uint64_t pending = 0;  // points at which there was something to roll back
  std::uint64_t continuations = 0;
  std::uint64_t index_grown = 0;
  std::uint64_t runs = 0;
  std::map<std::string, std::uint64_t> sites;
  std::map<Situation, std::uint64_t> situations;
};

inline Tally g_tally;

/// What a run is built for. A general workload alone passes with real bugs in: merges, and memory
/// that runs out, must be forced.
enum class Profile { general, merges, pressure };

struct Scene {
  std::uint64_t seed;
  Profile profile;
};

class Enumerator {
 public:
  Enumerator(const Scene& scene, std::uint64_t per_site)
      : random_(scene.seed), profile_(scene.profile), wanted_(per_site) {
    RigOptions options;
    options.bytes = pressure() ? 96 << 10 : 160 << 10;
    options.undo_pairs = 256;
    options.slots = 3;
    options.worker_areas = 1;
    rig_ = std::make_unique<Rig>(options);
    rig_->engine->compact_eagerly = profile_ != Profile::general && random_() % 2 == 0;
    image_.resize(rig_->memory.size());
    again_.resize(rig_->memory.size());
    current = this;
    g_store_hook = [](const StoreSite& site) { current->on_store(site); };
    add(Kind::log);
    add(Kind::status);
  }
  ~Enumerator() {
    g_store_hook = nullptr;
    current = nullptr;
  }

  void step() {
    const auto dice = random_() % 100;
    Entry& entry = entries_[random_() % entries_.size()];
    const unsigned rare = profile_ == Profile::general ? 1 : 8;  // long lives for the other profiles
    if (dice < 3 && random_() % rare == 0) {
      remove_and_add(entry);
    } else if (dice < 9 && random_() % (rare / 2 + 1) == 0) {
      apply(entry);
    } else if (dice < 14) {
      unset(entry);
    } else if (dice < 18) {
      rig_->clocks.advance(1'500'000'000);
      due(entry);
    } else {
      if (profile_ == Profile::merges && random_() % 6 == 0) rig_->clocks.advance(700'000'000);
      batch(entry);
    }
  }

 private:
  struct Entry {
    std::string name;
    Kind kind;
    DirectoryId id;
    ModelDirectory model;
  };

  // --- operations -------------------------------------------------------------------------------

  Quotas quotas(Kind kind) {
    Quotas q;
    const auto pick = [&](std::initializer_list<std::uint64_t> of) {
      return *(of.begin() + random_() % of.size());
    };
    if (profile_ == Profile::general) {
      q.max_keys = pick({2, 4, 12, 1000});
      q.max_value_bytes = pick({60, 400, 3000});
      q.max_total_bytes = pick({400, 3000, 9000});
      q.max_bytes_per_key = pick({300, 2000, q.max_total_bytes});
      q.max_events_per_key = kind == Kind::log ? pick({1, 3, 9, 1000}) : 2048;
      q.max_age_seconds = pick({0, 3, 60, 86400, 86400});
      q.drop_when_keys_full = random_() % 6 == 0;
    } else {
      q.max_keys = pick({30, 1000, 1000});
      q.max_value_bytes = pick({60, 150, 1024, 1024});
      q.max_total_bytes = pressure() ? 1000000 : pick({2500, 6000, 20000});
      q.max_bytes_per_key = pick({pressure() ? 20000u : 250u, q.max_total_bytes});
      q.max_events_per_key = kind == Kind::log ? pick({4, 12, pressure() ? 1000u : 12u}) : 2048;
      q.max_age_seconds = pick({3, 12, 86400});
    }
    return q;
  }

  void add(Kind kind) {
    const Quotas q = quotas(kind);
    const std::string name = "d" + std::to_string(births_++);
    run(Operation::open, nullptr, [&] {
      entries_.push_back({name, kind, rig_->open(name, kind, q), ModelDirectory(kind, q)});
    });
  }

  void remove_and_add(Entry& entry) {
    const Kind kind = entry.kind;
    run(Operation::remove, &entry, [&] {
      rig_->state().now = rig_->clocks.now();
      EXPECT_TRUE(rig_->engine->close_directory(rig_->state(), entry.id, false));
    });
    entry = entries_.back();
    entries_.pop_back();
    add(kind);
  }

  void apply(Entry& entry) {
    const Quotas q = quotas(entry.kind);
    run(Operation::apply_quotas, &entry, [&] { rig_->apply(entry.id, entry.kind, entry.name, q); });
    entry.model.evict_due(rig_->clocks.boot);
    entry.model.apply(q, rig_->clocks.boot);
    compare(entry);
  }

  void unset(Entry& entry) {
    const std::string k = key();
    run(Operation::unset, &entry, [&] { rig_->unset(entry.id, k); });
    entry.model.unset(k, rig_->clocks.boot);
    compare(entry);
  }

  void due(Entry& entry) {
    run(Operation::evict_due, &entry, [&] {
      Worker w = rig_->worker();
      ASSERT_TRUE(w.begin(entry.id, rig_->clocks.now()));
      w.commit();
    });
    entry.model.evict_due(rig_->clocks.boot);
    compare(entry);
  }

  void batch(Entry& entry) {
    const auto n = entry.model.quotas.max_age_seconds == 0 ? 1 : 1 + random_() % 8;
    std::vector<std::pair<std::string, std::string>> records;
    for (std::uint64_t i = 0; i < n; ++i) records.emplace_back(key(), value());
    run(entry.kind == Kind::log ? Operation::append_log : Operation::append_status, &entry, [&] {
      Worker w = rig_->worker();
      ASSERT_TRUE(w.begin(entry.id, rig_->clocks.now()));
      for (const auto& [k, v] : records) w.append(k, v);
      w.commit();
    });
    for (const auto& [k, v] : records) {
      entry.model.append(k, v, rig_->clocks.boot, rig_->geometry.max_record_bytes());
    }
    compare(entry);
  }

  bool pressure() const { return profile_ == Profile::pressure; }
  std::string key() {
    const bool any = random_() % 3 == 0;
    std::uint64_t keys = any ? 40 : 5;
    if (profile_ == Profile::merges) keys = any ? 300 : 20;
    if (pressure()) keys = any ? 150 : 20;
    return "key" + std::to_string(random_() % keys);
  }
  std::string value() {
    const auto dice = random_() % 100;
    if (profile_ == Profile::merges) return std::string(random_() % 200, 'm');
    if (pressure() && dice < 95) return std::string(random_() % (dice < 60 ? 900 : 100), 'p');
    const std::size_t length = dice < 60 ? random_() % 60 : dice < 97 ? random_() % 500 : random_() % 3000;
    return std::string(length, static_cast<char>('a' + random_() % 26));
  }

  void compare(Entry& entry) {
    if (pressure()) return;  // the model knows no memory
    Reader reader = rig_->reader();
    ASSERT_EQ(describe(reader, entry.name), describe(entry.model)) << entry.name;
  }

  // --- the killing ------------------------------------------------------------------------------

  using Views = std::map<std::string, std::string>;

  Views views_of(const std::vector<Word>& memory) {
    Views views;
    Reader reader = std::move(Reader::over(memory.data(), rig_->geometry.total_bytes, rig_->clocks).value());
    for (const DirectoryInfo& info : reader.directories()) views[info.name] = describe(reader, info.name);
    return views;
  }

  template <class Body>
  void run(Operation operation, Entry* entry, Body body) {
    operation_ = operation;
    directory_ = entry != nullptr ? rig_->engine->directories[entry->id].get() : nullptr;
    if (directory_ != nullptr) {
      before_ = directory_->now;
      turnover_before_ = directory_->turnover;
      generation_before_ = directory_->generation;
    }
    seen_.clear();
    const Views before = views_of(rig_->memory);
    armed_ = true;
    body();
    armed_ = false;
    const Views after = views_of(rig_->memory);
    // A single commit may be seen as before or after; each further one may be seen too.
    const bool several = directory_ != nullptr && changes_committed() > 1;
    for (const Views& view : seen_) {
      if (view == before || view == after) continue;
      ASSERT_TRUE(several) << "a state that was never committed during "
                           << kOperationNames[static_cast<int>(operation)] << "\nbefore:\n"
                           << text(before) << "after:\n"
                           << text(after) << "seen:\n"
                           << text(view);
    }
  }
  std::uint64_t changes_committed() const { return directory_->generation - generation_before_; }

  static std::string text(const Views& views) {
    std::string all;
    for (const auto& [name, view] : views) all += name + ": " + view;
    return all;
  }

  Situation situation() const {
    Situation s{operation_, -1, false, false};
    if (directory_ == nullptr) return s;
    const Commit& now = directory_->now;
    if (now.replaced > before_.replaced) s.cause = static_cast<int>(kEvictCauses);
    for (std::size_t i = 0; i < kEvictCauses; ++i) {
      if (now.evicted[i] > before_.evicted[i]) s.cause = static_cast<int>(i);
    }
    s.page_turn = directory_->turnover.opened > turnover_before_.opened;
    s.merge = directory_->turnover.merged > turnover_before_.merged;
    return s;
  }

  void on_store(const StoreSite& site) {
    if (countdown_ > 0 && --countdown_ == 0) throw KilledAgain{};
    if (!armed_) return;
    const std::string name = std::string(site.file).substr(std::string(site.file).rfind('/') + 1) + ":" +
                             std::to_string(site.line);
    std::uint64_t& at_site = g_tally.sites[name];
    std::uint64_t& in_situation = g_tally.situations[situation()];
    const bool rare = at_site < wanted_ || in_situation < wanted_ / 4;
    if (!rare && random_() % 24 != 0) return;
    ++at_site;
    ++in_situation;
    armed_ = false;
    examine();
    armed_ = !testing::Test::HasFatalFailure();
  }

  void examine() {
    ++g_tally.points;
    image_ = rig_->memory;
    const Views killed = views_of(image_);
    for (const auto& [name, view] : killed) {
      ASSERT_FALSE(view.starts_with("PARTIAL")) << name << " cannot be read after a kill";
    }
    if (seen_.empty() || seen_.back() != killed) seen_.push_back(killed);

    const Segment crashed(image_.data(), rig_->geometry);
    const std::uint64_t changes = load_acquire(&crashed.area(0).undo_count);
    if (changes > 0) {
      ++g_tally.pending;
      again_ = image_;
      kill_recovery(changes);
      ASSERT_EQ(views_of(again_), killed) << "after a kill inside recovery";
    }
    auto engine = Engine::attach(image_.data(), rig_->geometry, 4, rig_->clocks);
    ASSERT_TRUE(engine.ok()) << engine.error().text;
    ASSERT_EQ(views_of(image_), killed) << "recovery changed what is visible";
    check_whole(image_);
    if (random_() % 32 == 0) go_on(*engine.value(), killed);
  }

  void kill_recovery(std::uint64_t changes) {
    ++g_tally.second_kills;
    const Segment segment(again_.data(), rig_->geometry);
    countdown_ = 1 + random_() % (changes + 1);
    try {
      ASSERT_TRUE(roll_back(segment).ok());
    } catch (const KilledAgain&) {
    }
    countdown_ = 0;
    // Half-way through, readers must see the same as well.
    ASSERT_TRUE(roll_back(segment).ok());
    check_whole(again_);
  }

  void check_whole(const std::vector<Word>& memory) {
    std::vector<Word> copy = memory;
    VerifyReport report;
    verify_image(copy.data(), rig_->geometry, report);
    ASSERT_TRUE(report.ok) << join(report.errors);
  }

  /// The recovered segment takes records as a healthy one does.
  void go_on(Engine& engine, const Views& views) {
    ++g_tally.continuations;
    engine.corruption_handler = [](const std::string& what) { throw CorruptSegment{what}; };
    Reader reader = std::move(Reader::over(image_.data(), rig_->geometry.total_bytes, rig_->clocks).value());
    for (const auto& [name, view] : views) {
      const DirectoryInfo info = reader.find(name).value();
      ModelDirectory model(info.kind, info.quotas);
      const Reader::Snapshot snapshot = reader.snapshot(info);
      for (const RecordView& r : snapshot.records) {
        model.live.push_back({r.seq, r.boot_ns, std::string(r.key), std::string(r.value)});
      }
      model.next_seq = info.next_seq;
      model.stored = info.stored;
      model.replaced = info.replaced;
      model.dropped = info.dropped;
      model.evicted = snapshot.directory.evicted;
      model.last_boot = engine.directories[info.id]->now.last_boot_ns;
      Worker w(*engine.workers[0]);
      const int n = info.quotas.max_age_seconds == 0 ? 1 : 10;
      ASSERT_TRUE(w.begin(info.id, rig_->clocks.now()));
      for (int i = 0; i < n; ++i) {
        const std::string k = key();
        const std::string v = value();
        w.append(k, v);
        model.append(k, v, rig_->clocks.boot, rig_->geometry.max_record_bytes());
      }
      w.commit();
      if (pressure()) continue;
      ASSERT_EQ(describe(reader, name), describe(model)) << "after going on in " << name;
    }
    check_whole(image_);
  }

  static inline Enumerator* current = nullptr;
  std::mt19937_64 random_;
  Profile profile_;
  std::uint64_t wanted_;
  std::unique_ptr<Rig> rig_;
  std::vector<Entry> entries_;
  int births_ = 0;
  std::vector<Word> image_;
  std::vector<Word> again_;
  bool armed_ = false;
  std::uint64_t countdown_ = 0;
  Operation operation_ = Operation::open;
  Directory* directory_ = nullptr;
  Commit before_{};
  Directory::Turnover turnover_before_;
  Word generation_before_ = 0;
  std::vector<Views> seen_;
};

}  // namespace mayfly::shm::test
