// kill -9 of real writer processes in mid-batch, and writers that are started on scribbled files.
#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <numeric>
#include <random>
#include <thread>

#include "shm/geometry.h"
#include "shm/reader.h"
#include "shm/verify.h"
#include "shm/writer.h"
#include "tests/shm/directory_fixture.h"
#include "tests/shm/temp_directory.h"

namespace mayfly::shm::test {
namespace {

constexpr int kCorruptExit = 42;
constexpr const char* kNames[] = {"log", "status"};

Now now() { return {system_clocks().wall_ns(), system_clocks().boot_ns()}; }

WriterOptions options_for(const std::string& path) {
  WriterOptions o;
  o.path = path;
  o.bytes = 3 << 20;
  o.page_bytes = 1024;
  o.workers = 2;
  o.lock_wait = std::chrono::seconds(20);
  return o;
}

Quotas small_quotas() {
  Quotas q;
  q.max_keys = 60;
  q.max_total_bytes = q.max_bytes_per_key = 60'000;
  q.max_events_per_key = 30;
  q.max_value_bytes = 8000;
  return q;
}

DirectorySpec spec_of(int which) {
  return {which == 0 ? Kind::log : Kind::status, kNames[which], small_quotas(), 1, 1, 1};
}

std::unique_ptr<Writer> open_both(const std::string& path) {
  auto opened = Writer::open(options_for(path));
  if (!opened.ok()) return nullptr;
  auto writer = std::move(opened.value());
  writer->on_corruption([](const std::string&) { ::_exit(kCorruptExit); });
  Worker w = writer->worker(0);
  std::vector<OpenDirectory> there = writer->directories();
  for (int which = 0; which < 2; ++which) {
    const bool open = std::any_of(there.begin(), there.end(),
                                  [&](const OpenDirectory& d) { return d.spec.name == kNames[which]; });
    if (!open && !writer->open_directory(w, spec_of(which), now()).ok()) return nullptr;
  }
  return writer;
}

DirectoryId id_of(Writer& writer, int which) {
  for (const OpenDirectory& d : writer.directories()) {
    if (d.spec.name == kNames[which]) return d.id;
  }
  return ~0u;
}

/// One random operation on a directory; returns false when it is not open.
bool churn(Writer& writer, Worker& w, DirectoryId id, int which, std::mt19937_64& random) {
  if (random() % 40 == 0) {
    DirectorySpec spec = spec_of(which);
    if (random() % 2 == 0) spec.quotas.max_total_bytes = random() % 60'000;
    return writer.apply_quotas(w, id, spec, now());
  }
  if (!w.begin(id, now())) return false;
  for (auto n = 1 + random() % 200; n > 0; --n) {
    const std::string key = "k" + std::to_string(random() % 70);
    if (random() % 30 == 0) {
      w.unset(key);
    } else {
      w.append(key, key + ":" + std::string(random() % (random() % 20 == 0 ? 6000 : 200), key.back()));
    }
  }
  w.commit();
  return true;
}

/// Both directories as one text; records prove that they are whole.
std::string view_of(const std::string& path) {
  auto opened = Reader::open(path);
  EXPECT_TRUE(opened.ok()) << opened.error().text;
  if (!opened.ok()) return "unreadable";
  std::string text;
  for (const char* name : kNames) {
    const auto info = opened.value().find(name);
    if (!info) continue;
    const Reader::Snapshot s = opened.value().snapshot(*info);
    EXPECT_FALSE(s.partial);
    expect_balanced(s.directory);
    for (const RecordView& r : s.records) {
      const std::string head = std::string(r.key) + ":";
      EXPECT_TRUE(r.value.substr(0, head.size()) == head &&
                  r.value.substr(head.size()).find_first_not_of(r.key.back()) == std::string_view::npos)
          << "torn";
    }
    text += describe(s.directory, s.records);
  }
  return text;
}

// What a committing process shares with the test: it survives the kill.
struct Progress {
  std::atomic<std::uint64_t> batches{0};
  std::atomic<std::uint64_t> acknowledged[2];  // last seq of a committed batch
};

//   child:  batch batch batch bat|            killed anywhere
//   parent: view -> new writer (rolls back) -> the same view -> valid -> next child
TEST(Kill, AWriterKilledInMidBatchLosesNothingThatWasCommitted) {
  const TempDirectory directory;
  const std::string path = directory / "data";
  void* shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* progress = new (shared) Progress;
  std::mt19937_64 random(7);
  constexpr int kKills = 200;
  int pending = 0;
  std::uint64_t undone = 0;
  for (int round = 0; round < kKills; ++round) {
    const std::uint64_t until = progress->batches + 1 + random() % 60;
    const std::uint64_t seed = random();
    Child child([&] {
      auto writer = open_both(path);
      if (writer == nullptr) return 1;
      std::mt19937_64 dice(seed);
      Worker w = writer->worker(0);
      while (true) {
        const int which = static_cast<int>(dice() % 2);
        if (!churn(*writer, w, id_of(*writer, which), which, dice)) return 2;
        progress->acknowledged[which] = Reader::open(path).value().find(kNames[which])->next_seq - 1;
        ++progress->batches;
      }
    });
    while (progress->batches < until) std::this_thread::yield();
    for (auto spin = random() % 20'000; spin > 0; --spin) std::atomic_signal_fence(std::memory_order_seq_cst);
    child.kill();
    const std::string before = view_of(path);
    for (int which = 0; which < 2; ++which) {
      const auto info = Reader::open(path).value().find(kNames[which]);
      ASSERT_GE(info->next_seq - 1, progress->acknowledged[which].load()) << "an acknowledged record is lost";
    }
    const auto report = verify_file(path);
    ASSERT_TRUE(report.ok() && report.value().ok) << join(report.value().errors);
    auto writer = Writer::open(options_for(path));
    ASSERT_TRUE(writer.ok()) << writer.error().text;
    EXPECT_FALSE(writer.value()->report().created);
    EXPECT_FALSE(writer.value()->report().clean_stop);
    pending += writer.value()->report().rolled_back > 0 ? 1 : 0;
    undone += writer.value()->report().undone_words;
    ASSERT_EQ(view_of(path), before) << "recovery changed what is seen, round " << round;
  }
  std::printf("kills %d, with something to roll back %d, words undone %llu\n", kKills, pending,
              static_cast<unsigned long long>(undone));
  EXPECT_GT(pending, kKills / 10) << "hardly any kill met a batch";
  ::munmap(shared, 4096);
}

/// Writes random words (or flips bits) somewhere in [from, to).
void scribble_words(std::string& bytes, std::uint64_t from, std::uint64_t to, int n,
                    std::mt19937_64& random) {
  for (; n > 0; --n) {
    const std::uint64_t at = (from + random() % (to - from)) / 8 * 8;
    Word word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    switch (random() % 4) {
      case 0:
        word = random();
        break;
      case 1:
        word ^= Word{1} << random() % 64;
        break;
      case 2:
        word += random() % 5 - 2;
        break;
      default:
        word = random() % 4096;
    }
    std::memcpy(bytes.data() + at, &word, 8);
  }
}

// Undo log, slots, columns, page lines, pages: whatever is in them, a writer either resumes, sets the
// file aside, or notices while it works; it never dies of a signal and never hangs.
TEST(Kill, AWriterOnAScribbledFileResumesOrSaysSo) {
  const TempDirectory directory;
  const std::string path = directory / "data";
  {
    auto writer = open_both(path);
    ASSERT_NE(writer, nullptr);
    Worker w = writer->worker(0);
    std::mt19937_64 random(3);
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(churn(*writer, w, id_of(*writer, i % 2), i % 2, random));
  }
  const std::string good = read_file(path);
  const Geometry g = geometry_from(reinterpret_cast<const Header*>(good.data())->constants).value();
  const struct {
    const char* what;
    std::uint64_t from, to;
  } parts[] = {{"header state", sizeof(HeaderConstants), sizeof(Header)},
               {"undo log", g.areas_at, g.areas_at + sizeof(WorkerArea) + 320},
               {"slots", g.slots_at, g.slots_at + 2 * sizeof(Slot)},
               {"stamps", g.stamps_at, g.page_words_at},
               {"page words", g.page_words_at, g.lines_at},
               {"page lines", g.lines_at, g.pages_at},
               {"pages", g.pages_at, g.pages_at + 200 * 1024}};
  std::mt19937_64 random(11);
  int resumed = 0;
  int noticed = 0;
  int aside = 0;
  constexpr int kEach = 40;
  for (const auto& part : parts) {
    SCOPED_TRACE(part.what);
    for (int i = 0; i < kEach; ++i) {
      std::string bad = good;
      scribble_words(bad, part.from, part.to, 1 + static_cast<int>(random() % 20), random);
      write_file(path, bad);
      const std::uint64_t seed = random();
      Child child([&] {
        ::alarm(60);
        auto writer = open_both(path);
        if (writer == nullptr) return 1;
        const bool was_aside = writer->report().created;
        std::mt19937_64 dice(seed);
        Worker w = writer->worker(0);
        for (int n = 0; n < 30; ++n) {
          if (!churn(*writer, w, id_of(*writer, n % 2), n % 2, dice)) return 2;
        }
        return was_aside ? 3 : 0;
      });
      const int code = child.wait();
      ASSERT_TRUE(code == 0 || code == 3 || code == kCorruptExit) << "ended with " << code << ", case " << i;
      resumed += code == 0 ? 1 : 0;
      aside += code == 3 ? 1 : 0;
      noticed += code == kCorruptExit ? 1 : 0;
      if (code == kCorruptExit) {
        auto next = Writer::open(options_for(path));
        ASSERT_TRUE(next.ok()) << next.error().text;
        EXPECT_TRUE(next.value()->report().created) << "a poisoned segment is not resumed";
      }
    }
  }
  std::printf("scribbled %d: resumed %d, set aside %d, noticed at work %d\n",
              kEach * static_cast<int>(std::size(parts)), resumed, aside, noticed);
}

}  // namespace
}  // namespace mayfly::shm::test
