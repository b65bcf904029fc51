// A million random operations against the naive model: every record, order, byte and counter.
#include <cstdlib>

#include "tests/shm/lookup_checks.h"
#include "tests/shm/rig.h"

namespace mayfly::shm::test {
namespace {

constexpr std::uint64_t kEdges[] = {0,
                                    1,
                                    2,
                                    3,
                                    5,
                                    40,
                                    (1u << 31) - 1,
                                    1ull << 31,
                                    (1ull << 31) + 1,
                                    (1ull << 32) - 1,
                                    1ull << 32,
                                    (1ull << 32) + 1,
                                    1ull << 63,
                                    ~0ull};

class RandomQuotas {
 public:
  explicit RandomQuotas(std::mt19937_64& random) : random_(random) {}
  std::uint64_t any(std::initializer_list<std::uint64_t> usual) {
    if (random_() % 5 == 0) return kEdges[random_() % std::size(kEdges)];
    return *(usual.begin() + random_() % usual.size());
  }
  Quotas next() {
    Quotas q;
    q.max_keys = any({3, 8, 20, 1024});
    q.max_key_bytes = any({4, 8, 1024});
    q.max_value_bytes = any({20, 200, 900, 5000});
    q.max_total_bytes = any({300, 2000, 9000, 30000});
    q.max_bytes_per_key = any({150, 1000, 30000, 30000});
    q.max_events_per_key = any({1, 2, 7, 50});
    q.max_age_seconds = any({1, 5, 60, 86400});
    q.drop_when_keys_full = random_() % 4 == 0;
    return q;
  }

 private:
  std::mt19937_64& random_;
};

/// Keeps what can ever live within what a 512 KiB segment holds, so that memory never binds:
/// memory pressure has tests of its own, the model does not know it.
Quotas bounded(Quotas q) {
  if (q.max_total_bytes > 30000) q.max_total_bytes = random() % 2 ? 30000 : q.max_total_bytes;
  return q;
}

struct Pair {
  std::string name;
  Kind kind;
  DirectoryId id;
  ModelDirectory model;
};

class Property {
 public:
  explicit Property(std::uint64_t seed) : random_(seed), quotas_(random_) {
    for (const Kind kind : {Kind::log, Kind::status}) add(kind);
  }

  void step() {
    Pair& pair = pairs_[random_() % pairs_.size()];
    const auto dice = random_() % 1000;
    if (dice < 2) return apply(pair);
    if (dice < 3) return reattach();
    if (dice < 4) return remove(pair);
    if (dice < 30) rig_.clocks.advance(random_() % 2'000'000'000);
    if (dice < 60) return unset(pair);
    batch(pair);
  }

  void compare() {
    for (Pair& pair : pairs_) {
      pair.model.evict_due(rig_.clocks.boot);  // a reader counts what is due as evicted
      Reader reader = rig_.reader();
      ASSERT_EQ(describe(reader, pair.name), describe(pair.model)) << pair.name << " after " << operations;
    }
    look_up();
  }
  /// Lookups by key say what the whole view says; also while a batch is open.
  void look_up() {
    Reader reader = rig_.reader();
    for (const Pair& pair : pairs_) {
      const std::vector<std::string> keys = {key(), key(), "k0", "not there"};
      ASSERT_EQ(compare_lookups(reader, pair.name, keys, 1 + random_() % 60, lookups), "")
          << pair.name << " after " << operations;
    }
  }
  void verify() {
    const VerifyReport report = rig_.verify();
    ASSERT_TRUE(report.ok) << join(report.errors) << " after " << operations;
  }

  std::uint64_t operations = 0;
  std::uint64_t lookups = 0;

 private:
  void add(Kind kind) {
    Quotas q = bounded(quotas_.next());
    const std::string name = std::string(kind_name(kind)) + std::to_string(births_++);
    pairs_.push_back({name, kind, rig_.open(name, kind, q), ModelDirectory(kind, q)});
  }
  std::string key() {
    std::string k = "k" + std::to_string(random_() % (1 + random_() % 24));
    if (random_() % 40 == 0) k += std::string(random_() % 12, 'x');
    return random_() % 50 == 0 ? "" : k;
  }
  std::string value() {
    const auto dice = random_() % 100;
    const std::size_t length = dice < 70 ? random_() % 40 : dice < 95 ? random_() % 400 : random_() % 4500;
    std::string v = std::to_string(operations);
    v.resize(length, static_cast<char>('a' + operations % 26));
    return v;
  }
  void batch(Pair& pair) {
    Worker w = rig_.worker();
    ASSERT_TRUE(w.begin(pair.id, rig_.clocks.now()));
    // With max_age 0 the engine evicts at the end of a batch, the model at once: one at a time then.
    const auto n = pair.model.quotas.max_age_seconds == 0 ? 1 : 1 + random_() % 12;
    for (std::uint64_t i = 0; i < n; ++i, ++operations) {
      const std::string k = key();
      const std::string v = value();
      const Verdict got = w.append(k, v);
      const auto cause = pair.model.append(k, v, rig_.clocks.boot, rig_.geometry.max_record_bytes());
      ASSERT_EQ(got.stored, !cause.has_value()) << "append of " << k << " after " << operations;
      if (cause) {
        ASSERT_EQ(cause_name(got.cause), cause_name(*cause));
      }
    }
    if (random_() % 8 == 0) look_up();
    w.commit();
  }
  void unset(Pair& pair) {
    const std::string k = key();
    ASSERT_EQ(rig_.unset(pair.id, k), pair.model.unset(k, rig_.clocks.boot));
    ++operations;
  }
  void apply(Pair& pair) {
    const Quotas q = bounded(quotas_.next());
    rig_.apply(pair.id, pair.kind, pair.name, q);
    pair.model.evict_due(rig_.clocks.boot);
    pair.model.apply(q, rig_.clocks.boot);
    ++operations;
    compare();
  }
  void remove(Pair& pair) {
    rig_.state().now = rig_.clocks.now();
    ASSERT_TRUE(rig_.engine->close_directory(rig_.state(), pair.id, false));
    const Kind kind = pair.kind;
    pair = std::move(pairs_.back());
    pairs_.pop_back();
    add(kind);
    ++operations;
  }
  void reattach() { rig_.attach(); }

  std::mt19937_64 random_;
  RandomQuotas quotas_;
  Rig rig_{RigOptions{.bytes = 1 << 20}};
  std::vector<Pair> pairs_;
  int births_ = 0;
};

TEST(Property, AMillionRandomOperationsEqualTheModel) {
  const char* asked = std::getenv("MAYFLY_PROPERTY_OPERATIONS");
  const std::uint64_t wanted = asked != nullptr ? std::strtoull(asked, nullptr, 10) : 1'000'000;
  std::uint64_t total = 0;
  std::uint64_t compared = 0;
  std::uint64_t lookups = 0;
  for (std::uint64_t seed = 1; total < wanted; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Property property(seed);
    try {
      for (int i = 0; property.operations < 20'000; ++i) {
        property.step();
        if (i % 16 == 0) property.compare(), ++compared;
        if (i % 256 == 0) property.verify();
        if (testing::Test::HasFatalFailure()) return;
      }
    } catch (const CorruptSegment& corrupt) {
      FAIL() << corrupt.what << " after " << property.operations;
    }
    total += property.operations;
    lookups += property.lookups;
  }
  std::printf("operations %llu, whole views compared %llu, lookups by key %llu\n",
              static_cast<unsigned long long>(total), static_cast<unsigned long long>(compared),
              static_cast<unsigned long long>(lookups));
}

}  // namespace
}  // namespace mayfly::shm::test
