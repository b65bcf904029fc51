// The control segment: rules published as a whole, births, what is refused, what survives.
#include "shm/control.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <random>
#include <thread>

#include "shm/control_layout.h"
#include "tests/shm/temp_directory.h"

namespace mayfly::shm::test {
namespace {

using namespace std::chrono_literals;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kControlScale = 1;
#else
constexpr int kControlScale = 5;
#endif

Rule rule(const std::string& name, Kind kind = Kind::log, bool pattern = false) {
  Rule r;
  r.kind = kind;
  r.name = name;
  r.pattern = pattern;
  return r;
}

class ControlTest : public testing::Test {
 protected:
  ControlOptions options() const {
    ControlOptions o;
    o.path = path_;
    o.lock_wait = 30ms;
    return o;
  }
  std::unique_ptr<ControlWriter> open() {
    auto writer = ControlWriter::open(options());
    EXPECT_TRUE(writer.ok()) << writer.error().text;
    return std::move(writer.value());
  }
  std::unique_ptr<ControlReader> read() {
    auto reader = ControlReader::open(path_);
    EXPECT_TRUE(reader.ok()) << reader.error().text;
    return std::move(reader.value());
  }
  static Rules rules_of(std::vector<Rule> rules, const std::string& version = "v") {
    return {version, false, std::move(rules)};
  }
  std::uint64_t birth(const std::string& name) {
    const ControlState state = read()->state().value();
    for (const Rule& r : state.rules->rules) {
      if (r.name == name) return r.birth;
    }
    return 0;
  }

  TempDirectory directory_;
  std::string path_ = directory_ / "control";
};

TEST_F(ControlTest, BeforeTheFirstPublicationThereAreNoRules) {
  EXPECT_EQ(ControlReader::open(path_).error().code, Errc::not_found);
  auto writer = open();
  EXPECT_TRUE(writer->created());
  EXPECT_EQ(read()->serial(), 0u);
  EXPECT_FALSE(read()->state().value().rules.has_value());
  EXPECT_NE(read()->instance(), 0u);
}

TEST_F(ControlTest, WhatIsPublishedIsReadBackWhole) {
  auto writer = open();
  Rules rules;
  rules.version = std::string(kMaxVersionBytes, 'v');
  rules.paused = true;
  constexpr std::uint64_t kEdges[] = {0,          1,          0x7fffffff,       0x80000000, 0x80000001,
                                      0xffffffff, 1ull << 32, (1ull << 32) + 1, 1ull << 63, ~0ull};
  for (const std::uint64_t edge : kEdges) {
    Rule r = rule("e" + std::to_string(edge), edge % 2 == 0 ? Kind::log : Kind::status, edge % 3 == 0);
    r.quotas = {edge, edge, edge, edge, edge, edge, edge, edge, edge, edge % 2 == 0};
    r.max_directories = edge;
    rules.rules.push_back(r);
  }
  rules.rules.push_back(rule(std::string(kMaxNameBytes, 'n')));
  rules.rules.push_back(rule("*", Kind::status, true));
  ASSERT_TRUE(writer->publish(rules).ok());
  ControlState state = read()->state().value();
  EXPECT_EQ(state.serial, 1u);
  ASSERT_TRUE(state.rules.has_value());
  for (Rule& r : state.rules->rules) r.birth = 0;
  EXPECT_EQ(*state.rules, rules);
}

TEST_F(ControlTest, ARuleThatGoesAndComesBackIsBornAgain) {
  auto writer = open();
  ASSERT_TRUE(writer->publish(rules_of({rule("a"), rule("b")})).ok());
  const std::uint64_t a = birth("a");
  const std::uint64_t b = birth("b");
  EXPECT_GT(a, 0u);
  Rule changed = rule("a");
  changed.quotas.max_keys = 7;
  ASSERT_TRUE(writer->publish(rules_of({rule("c"), changed})).ok());
  EXPECT_EQ(birth("a"), a) << "other quotas, another place: the same rule";
  EXPECT_GT(birth("c"), b);
  writer.reset();
  writer = open();
  ASSERT_TRUE(writer->publish(rules_of({rule("a"), rule("b")})).ok());
  EXPECT_EQ(birth("a"), a) << "also over a restart";
  EXPECT_GT(birth("b"), b);
  const std::uint64_t again = birth("b");
  ASSERT_TRUE(writer->publish(rules_of({rule("a", Kind::status), rule("b", Kind::log, true)})).ok());
  EXPECT_GT(birth("a"), a) << "another kind is another rule";
  EXPECT_GT(birth("b"), again) << "a pattern is another rule than a name";
}

TEST_F(ControlTest, WhatDoesNotFitIsRefusedAndChangesNothing) {
  auto writer = open();
  ASSERT_TRUE(writer->publish(rules_of({rule("a")}, "good")).ok());
  const auto refused = [&](const Rules& rules) {
    const Status status = writer->publish(rules);
    EXPECT_FALSE(status.ok());
    EXPECT_TRUE(status.ok() || status.error().code == Errc::invalid);
  };
  refused(rules_of({rule("")}));
  refused(rules_of({rule(std::string(kMaxNameBytes + 1, 'n'))}));
  refused(rules_of({rule("a", Kind::none)}));
  refused(rules_of({}, std::string(kMaxVersionBytes + 1, 'v')));
  std::vector<Rule> many;
  for (std::size_t i = 0; i <= kMaxRules; ++i) many.push_back(rule("r" + std::to_string(i)));
  refused(rules_of(many));
  EXPECT_EQ(read()->state().value().rules->version, "good");
  many.pop_back();
  ASSERT_TRUE(writer->publish(rules_of(many)).ok());
  EXPECT_EQ(read()->state().value().rules->rules.size(), kMaxRules);
}

TEST_F(ControlTest, RulesStayInForceOverARestart) {
  std::uint64_t instance = 0;
  {
    auto writer = open();
    ASSERT_TRUE(writer->publish(rules_of({rule("a")}, "one")).ok());
    ASSERT_TRUE(writer->publish(rules_of({rule("a"), rule("b")}, "two")).ok());
    instance = writer->state().instance;
    writer->set_waiting(true);
    EXPECT_TRUE(read()->waiting());
  }
  EXPECT_EQ(read()->state().value().rules->version, "two") << "a dead writer's rules stay in force";
  auto writer = open();
  EXPECT_FALSE(writer->created());
  EXPECT_EQ(writer->state().instance, instance);
  EXPECT_EQ(writer->state().serial, 2u);
  EXPECT_EQ(writer->state().rules->rules.size(), 2u);
  EXPECT_FALSE(read()->waiting()) << "who waited is gone";
}

TEST_F(ControlTest, OneWriterAtATime) {
  auto writer = open();
  EXPECT_EQ(ControlWriter::open(options()).error().code, Errc::busy);
}

TEST_F(ControlTest, DamagedFilesAreSetAside) {
  { ASSERT_TRUE(open()->publish(rules_of({rule("a")})).ok()); }
  const std::string good = read_file(path_);
  const std::uint64_t copy = sizeof(ControlHeader) + sizeof(ControlCopy);  // of serial 1
  const std::uint64_t places[] = {0,
                                  offsetof(HeaderConstants, layout_version),
                                  offsetof(HeaderConstants, checksum),
                                  offsetof(ControlHeader, ready),
                                  copy,
                                  copy + offsetof(ControlCopy, rule_count),
                                  copy + offsetof(ControlCopy, version_bytes),
                                  copy + offsetof(ControlCopy, rules) + 20};
  std::vector<std::string> bad = {"", "x", std::string(kControlBytes, '\0'),
                                  good.substr(0, kControlBytes - 1), good + "x"};
  for (const std::uint64_t place : places) {
    bad.push_back(good);
    bad.back()[place + 1] = static_cast<char>(bad.back()[place + 1] ^ 0x55);
  }
  for (std::size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    std::filesystem::remove(path_);
    write_file(path_, bad[i]);
    const auto reader = ControlReader::open(path_);
    EXPECT_TRUE(!reader.ok() || !reader.value()->state().ok());
    auto writer = open();
    EXPECT_TRUE(writer->created());
    EXPECT_EQ(writer->set_aside(), path_ + ".aside");
    EXPECT_FALSE(writer->state().rules.has_value());
    EXPECT_EQ(read_file(path_ + ".aside"), bad[i]);
  }
}

TEST_F(ControlTest, AReaderOfScribbledRulesSaysSo) {
  auto writer = open();
  ASSERT_TRUE(writer->publish(rules_of({rule("a")})).ok());
  auto reader = read();
  std::mt19937_64 random(1);
  for (int i = 0; i < 200 * kControlScale; ++i) {
    const std::uint64_t at = sizeof(ControlHeader) + sizeof(ControlCopy) + random() % 384;
    scribble(path_, at, std::string(1, static_cast<char>(random())));
    const auto state = reader->state();
    EXPECT_TRUE(state.ok() || state.error().code == Errc::corrupt);
  }
  ASSERT_FALSE(reader->state().ok());
  EXPECT_EQ(writer->publish(rules_of({rule("b")})).error().code, Errc::corrupt) << "births would be lost";
  writer.reset();
  writer = open();
  EXPECT_TRUE(writer->created());
  EXPECT_TRUE(reader->replaced());
}

TEST_F(ControlTest, AReplacedFileIsNoticed) {
  auto writer = open();
  auto reader = read();
  EXPECT_FALSE(reader->replaced());
  std::filesystem::remove(path_);
  EXPECT_TRUE(reader->replaced());
}

TEST_F(ControlTest, AWaitEndsWithThePublicationAndWithAnInterrupt) {
  auto writer = open();
  auto reader = read();
  std::atomic<int> step{0};
  std::thread waiter([&] {
    while (reader->serial() == 0) reader->wait(0, 20s);
    step = 1;
    while (step != 2) reader->wait(1, 20s);
  });
  ASSERT_TRUE(writer->publish(rules_of({rule("a")})).ok());
  while (step != 1) std::this_thread::yield();
  step = 2;
  reader->interrupt();
  waiter.join();
  reader->wait(1, 20s);  // at once
}

TEST_F(ControlTest, ReadersNeverSeeAMixtureWhileRulesChange) {
  auto writer = open();
  // Version i has i % 50 rules, all of which say i.
  const auto version = [](std::uint64_t i) {
    Rules rules = rules_of({}, std::to_string(i));
    for (std::uint64_t n = 0; n < i % 50; ++n) {
      Rule r = rule("r" + std::to_string(n));
      r.quotas.max_keys = r.max_directories = i;
      rules.rules.push_back(r);
    }
    return rules;
  };
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int n = 0; n < 2; ++n) {
    readers.emplace_back([&] {
      auto reader = ControlReader::open(path_);
      std::uint64_t last = 0;
      bool end = false;
      do {
        end = done;
        const auto state = reader.value()->state();
        if (!state.ok()) {
          wrong += state.error().code == Errc::not_ready ? 0 : 1;
          continue;
        }
        ++reads;
        if (!state.value().rules) continue;
        Rules got = *state.value().rules;
        for (Rule& r : got.rules) r.birth = 0;
        wrong += got == version(state.value().serial) && state.value().serial >= last ? 0 : 1;
        last = state.value().serial;
      } while (!end);
    });
  }
  constexpr std::uint64_t kPublications = 300 * kControlScale;
  for (std::uint64_t i = 1; i <= kPublications; ++i) ASSERT_TRUE(writer->publish(version(i)).ok());
  done = true;
  for (std::thread& thread : readers) thread.join();
  EXPECT_EQ(wrong, 0);
  std::printf("publications %llu, reads %llu\n", static_cast<unsigned long long>(kPublications),
              static_cast<unsigned long long>(reads));
}

//   child: publish publish pub|    killed anywhere; the parent reads either the old rules or the new
TEST_F(ControlTest, AWriterKilledWhilePublishingLeavesOldRulesOrNew) {
  void* shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* published = new (shared) std::atomic<std::uint64_t>(0);
  std::mt19937_64 random(3);
  constexpr int kKills = 20 * kControlScale;
  for (int round = 0; round < kKills; ++round) {
    const std::uint64_t until = *published + 1 + random() % 8;
    ControlOptions patient = options();
    patient.lock_wait = 20s;
    Child child([&] {
      auto writer = ControlWriter::open(patient);
      if (!writer.ok() || (round > 0 && writer.value()->created())) return 1;
      while (true) {
        const std::uint64_t next = writer.value()->state().serial + 1;
        Rules rules = rules_of({}, std::to_string(next));
        for (std::uint64_t n = 0; n < 400; ++n)
          rules.rules.push_back(rule("r" + std::to_string(next) + "-" + std::to_string(n)));
        if (!writer.value()->publish(rules).ok()) return 2;
        *published = next;
      }
    });
    while (*published < until) std::this_thread::yield();
    for (auto spin = random() % 20'000; spin > 0; --spin) std::atomic_signal_fence(std::memory_order_seq_cst);
    child.kill();
    const auto state = read()->state();
    ASSERT_TRUE(state.ok()) << state.error().text;
    ASSERT_GE(state.value().serial, published->load());
    ASSERT_LE(state.value().serial, published->load() + 1);
    ASSERT_EQ(state.value().rules->version, std::to_string(state.value().serial));
    ASSERT_EQ(state.value().rules->rules.size(), 400u);
    for (const Rule& r : state.value().rules->rules)
      ASSERT_EQ(r.name.find("r" + state.value().rules->version + "-"), 0u);
    *published = state.value().serial;
  }
  std::printf("kills %d, publications %llu\n", kKills, static_cast<unsigned long long>(published->load()));
  ::munmap(shared, 4096);
}

}  // namespace
}  // namespace mayfly::shm::test
