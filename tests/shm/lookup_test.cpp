// Lookups by key while the writer is anywhere: stopped at each of its stores, and going on in the
// middle of a lookup. Built so that stores and loads report themselves (shm/word.h).
#include <deque>

#include "tests/shm/directory_fixture.h"
#include "tests/shm/lookup_checks.h"

namespace mayfly::shm::test {
namespace {

/// A directory under random operations: small pages, so that they are freed, merged and reused all
/// the time, and an index of many pages.
class Busy {
 public:
  Busy(std::uint64_t seed, Kind of_kind) : random(seed), kind(of_kind), quotas(next_quotas()) {
    id = rig.open("d", kind, quotas);
    rig.engine->compact_eagerly = random() % 2 == 0;
  }

  Quotas next_quotas() {
    Quotas q;
    q.max_keys = random() % 3 == 0 ? 5 + random() % 40 : 200;
    q.max_value_bytes = random() % 3 == 0 ? 20 + random() % 200 : 5000;
    q.max_key_bytes = random() % 5 == 0 ? 3 : 100;
    q.max_total_bytes = 2000 + random() % 20'000;
    q.max_bytes_per_key = random() % 3 == 0 ? 500 : q.max_total_bytes;
    q.max_events_per_key = 1 + random() % 20;
    return q;
  }
  std::string key() {
    const auto dice = random() % 10;
    return "k" + std::to_string(dice < 5 ? random() % 5 : random() % (dice < 9 ? 30 : 150));
  }
  void append(Worker& worker) {
    std::string value = std::to_string(++number) + ":";
    const auto dice = random() % 100;
    value.resize(value.size() + (dice < 80   ? random() % 30
                                 : dice < 99 ? random() % 300
                                             : random() % 3000),
                 'v');
    worker.append(key(), value);
  }
  void batch(std::uint64_t most) {
    Worker worker = rig.worker();
    worker.begin(id, rig.clocks.now());
    for (std::uint64_t n = 1 + random() % most; n > 0; --n) append(worker);
    worker.commit();
  }
  /// One operation of any kind.
  void step() {
    const auto dice = random() % 100;
    if (dice < 3) return rig.apply(id, kind, "d", quotas = next_quotas());
    if (dice < 8) return static_cast<void>(rig.unset(id, key()));
    batch(20);
  }

  std::mt19937_64 random;
  const Kind kind;
  Quotas quotas;
  // Often so small that pages are reused at once.
  Rig rig{RigOptions{
      .bytes = (128 + 32 * (random() % 4)) << 10, .undo_pairs = 2048, .quarantine = 1}};
  DirectoryId id = 0;
  std::uint64_t number = 0;
};

std::uint64_t wanted(const char* name, std::uint64_t usual) {
  const char* asked = std::getenv(name);
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : usual;
}

// --- the writer stands still after a store ------------------------------------------------------

struct AtStores {
  Busy* busy;
  Reader* reader;
  std::uint64_t until_next;
  std::uint64_t stops = 0;
  std::uint64_t looked = 0;
  std::string failure;
};
AtStores* g_at_stores = nullptr;

void look_at_store(const StoreSite& site, const Word*) {
  AtStores& at = *g_at_stores;
  if (at.until_next-- > 0 || !at.failure.empty()) return;
  at.until_next = at.busy->random() % 40;
  ++at.stops;
  const std::string difference = compare_lookups(*at.reader, "d", {at.busy->key(), at.busy->key()},
                                                 1 + at.busy->random() % 30, at.looked);
  if (!difference.empty()) at.failure = difference + site.file + ":" + std::to_string(site.line);
}

// A reader that comes while the writer is between two stores, or was killed there, finds by the
// index what the last commit holds: no more, and no less.
TEST(Lookup, AtAnyStoreOfTheWriterTheIndexSaysWhatTheCommitHolds) {
  const std::uint64_t wanted_stops = wanted("MAYFLY_LOOKUP_STOPS", 20'000);
  std::uint64_t stops = 0;
  std::uint64_t looked = 0;
  std::uint64_t scans = 0;
  for (std::uint64_t seed = 1; stops < wanted_stops; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Busy busy(seed, seed % 2 == 0 ? Kind::status : Kind::log);
    Reader reader = busy.rig.reader();
    AtStores at{&busy, &reader, 0, 0, 0, ""};
    g_at_stores = &at;
    g_store_hook = look_at_store;
    for (int i = 0; i < 150 && at.failure.empty(); ++i) busy.step();
    g_store_hook = nullptr;
    stops += at.stops;
    looked += at.looked;
    scans += reader.key_scans();
    ASSERT_EQ(at.failure, "");
  }
  std::printf("stops %llu, lookups %llu, by scan %llu\n", static_cast<unsigned long long>(stops),
              static_cast<unsigned long long>(looked), static_cast<unsigned long long>(scans));
  // A page that is just being moved keeps no links; nothing else sends a reader away from the index.
  EXPECT_LT(scans, looked / 50);
}

// --- the writer goes on between two loads -------------------------------------------------------

/// What was true after each of the writer's operations, since the lookup began.
struct Moment {
  std::vector<RecordView> records;
  std::uint64_t next_seq;
  Reader::Snapshot backing;
};

constexpr std::size_t kMostSteps = 8;  // of the writer within one lookup

struct AtLoads {
  Busy* busy;
  std::uint64_t until_next;
  std::uint64_t pace;
  std::deque<Moment> moments;
  std::uint64_t steps = 0;
};
AtLoads* g_at_loads = nullptr;

void note_moment(AtLoads& at) {
  Reader reader = at.busy->rig.reader();
  Reader::Snapshot all = reader.snapshot(*reader.find("d"));
  Moment& moment = at.moments.emplace_back();
  moment.backing = std::move(all);
  moment.records = moment.backing.records;
  moment.next_seq = moment.backing.directory.next_seq;
}

void step_at_load() {
  AtLoads& at = *g_at_loads;
  if (at.until_next-- > 0 || at.moments.size() > kMostSteps) return;
  g_load_hook = nullptr;
  at.until_next = at.busy->random() % at.pace;
  ++at.steps;
  at.busy->step();
  note_moment(at);
  g_load_hook = step_at_load;
}

/// True where one of the moments, or two of them, explain the answer: what had been given at one,
/// without what was gone at a later one.
bool explained(const std::deque<Moment>& moments, const std::string& key, std::uint64_t n,
               const std::string& answer) {
  for (std::size_t first = 0; first < moments.size(); ++first) {
    for (std::size_t last = first; last < moments.size(); ++last) {
      // Of the newest n that there were at `first`, those that live at `last`.
      const std::string was = last_of(moments[first].records, key, n);
      std::uint64_t live = 0;
      for (const RecordView& r : moments[last].records) {
        live += r.key == key && r.seq < moments[first].next_seq && was.find(describe(r)) != std::string::npos;
      }
      if (last_of(moments[last].records, key, live, moments[first].next_seq) == answer) return true;
    }
  }
  return false;
}

TEST(Lookup, WhileTheWriterGoesOnEachAnswerWasTrue) {
  const std::uint64_t wanted_lookups = wanted("MAYFLY_LOOKUP_RACES", 12'000);
  std::uint64_t lookups = 0;
  std::uint64_t steps = 0;
  std::uint64_t found = 0;
  std::uint64_t scans = 0;
  for (std::uint64_t seed = 1; lookups < wanted_lookups; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Busy busy(seed, seed % 2 == 0 ? Kind::status : Kind::log);
    for (int i = 0; i < 60; ++i) busy.step();
    AtLoads at{&busy, 0, 1, {}, 0};
    g_at_loads = &at;
    Reader reader = busy.rig.reader();
    for (int i = 0; i < 400; ++i, ++lookups) {
      const std::string key = busy.key();
      const std::uint64_t n = 1 + busy.random() % 12;
      const bool newest_only = busy.random() % 2 == 0;
      // A key is found within some 70 loads, each link is some 30 more.
      at.pace = i % 3 == 0 ? 60 : i % 3 == 1 ? 300 : 2000;
      at.until_next = busy.random() % at.pace;
      at.moments.clear();
      note_moment(at);
      const auto info = reader.find("d");
      g_load_hook = step_at_load;
      std::string answer;
      if (newest_only) {
        const auto got = reader.get(*info, key);
        if (got) answer = describe(*got);
      } else {
        answer = last_by_index(reader, *info, key, n);
      }
      g_load_hook = nullptr;
      found += answer.empty() ? 0 : 1;
      ASSERT_TRUE(explained(at.moments, key, newest_only ? 1 : n, answer))
          << (newest_only ? "get " : "last ") << n << " of " << key << ": " << answer << "at first\n"
          << last_of(at.moments.front().records, key, n) << "in the end\n"
          << last_of(at.moments.back().records, key, n) << at.moments.size() << " moments";
    }
    steps += at.steps;
    scans += reader.key_scans();
  }
  std::printf("lookups %llu (found %llu, by scan %llu), operations in the middle of them %llu\n",
              static_cast<unsigned long long>(lookups), static_cast<unsigned long long>(found),
              static_cast<unsigned long long>(scans), static_cast<unsigned long long>(steps));
  EXPECT_LT(scans, lookups / 50);
  EXPECT_GT(steps, lookups / 4);
}

}  // namespace
}  // namespace mayfly::shm::test
