// The validator: what is whole passes, every kind of damage is named, and a copy that was taken while
// the segment was written is called that, not damaged.
#include "shm/verify.h"

#include <fcntl.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <thread>

#include "shm/segment.h"
#include "tests/shm/directory_fixture.h"
#include "tests/shm/temp_directory.h"

namespace mayfly::shm::test {
namespace {

VerifyReport verify(std::vector<Word> image, const Geometry& geometry) {
  VerifyReport report;
  verify_image(image.data(), geometry, report);
  return report;
}

/// A log and a status with dead records, merged pages, runs and a grown index.
class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    Quotas q;
    q.max_keys = 60;
    q.max_total_bytes = q.max_bytes_per_key = 25'000;
    q.max_value_bytes = 5000;
    auto& constants = reinterpret_cast<Header*>(rig_.memory.data())->constants;
    constants.hash_seed = 1;  // the same places in every run
    constants.checksum = XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
    rig_.attach();
    rig_.engine->compact_eagerly = true;
    for (const char* name : {"log", "status"}) {
      ids_.push_back(rig_.open(name, ids_.empty() ? Kind::log : Kind::status, q));
    }
    for (int i = 0; i < 40; ++i) batch();
  }
  void begin() {
    ASSERT_FALSE(worker_.has_value());
    worker_ = rig_.worker();
    ASSERT_TRUE(worker_->begin(ids_[random_() % 2], rig_.clocks.now()));
  }
  void work(int n) {
    for (; n > 0; --n) {
      const std::string key = "key" + std::to_string(random_() % 80);
      if (random_() % 12 == 0) {
        worker_->unset(key);
      } else {
        worker_->append(key, std::string(random_() % 40 == 0 ? 3000 : random_() % 200, 'v'));
      }
    }
  }
  void end() {
    worker_->commit();
    worker_.reset();
  }
  void batch() {
    begin();
    work(1 + static_cast<int>(random_() % 30));
    end();
  }

  Slot& slot(int i) const { return rig_.engine->segment.slot(ids_[static_cast<std::size_t>(i)]); }
  Commit& commit(int i) const { return slot(i).copies[slot(i).generation & 1]; }
  std::uint64_t offset_of(const Word& word) const { return rig_.engine->segment.offset_of(&word); }
  /// The report on an image in which one word has another value.
  VerifyReport damaged(const Word& word, Word value) {
    std::vector<Word> image = rig_.memory;
    image[offset_of(word) / 8] = value;
    return verify(std::move(image), rig_.geometry);
  }
  void expect_corrupt(const std::string& what, const Word& word, Word value) {
    const VerifyReport report = damaged(word, value);
    EXPECT_FALSE(report.ok) << what;
    EXPECT_FALSE(report.torn_copy) << what << "\n" << join(report.errors);
  }
  std::uint32_t page_of_role(PageRole role) const {
    for (std::uint32_t page = 0; page < rig_.geometry.pages; ++page) {
      const Word word = rig_.engine->segment.page_word(page);
      const bool inside = role != PageRole::records ||
                          (page != ref_page(commit(0).head) && rig_.engine->segment.line(page).prev != 0);
      if (page_role(word) == role && page_owner(word) == ids_[0] && inside) return page;
    }
    ADD_FAILURE() << "no page of role " << static_cast<int>(role);
    return 0;
  }

  std::mt19937_64 random_{5};
  Rig rig_{RigOptions{.bytes = 192 << 10}};
  std::vector<DirectoryId> ids_;
  std::optional<Worker> worker_;
};

TEST_F(VerifyTest, AWholeSegmentIsOkAtRestAndInTheMiddleOfABatch) {
  EXPECT_TRUE(rig_.verify().ok);
  EXPECT_FALSE(rig_.verify().pending);
  begin();
  work(25);
  const VerifyReport report = rig_.verify();
  EXPECT_TRUE(report.ok) << join(report.errors);
  EXPECT_TRUE(report.pending);
  end();
}

TEST_F(VerifyTest, TotalsThatAreOffByOneAreDamage) {
  for (int i = 0; i < 2; ++i) {
    Commit& c = commit(i);
    for (Word* word : {&c.keys, &c.records, &c.bytes, &c.stored, &c.replaced, &c.first_seq, &c.evicted[3]}) {
      expect_corrupt("total", *word, *word + 1);
      expect_corrupt("total", *word, *word - 1);
    }
    expect_corrupt("kind", c.kind, 3);
    expect_corrupt("state", c.state, 2);
    expect_corrupt("quota", c.max_total_bytes, c.bytes - 1);
    expect_corrupt("next_seq", c.next_seq, c.next_seq / 2);
    expect_corrupt("name", slot(i).name[0], ~Word{0});
  }
}

TEST_F(VerifyTest, BrokenListsAreDamage) {
  const Segment& segment = rig_.engine->segment;
  const std::uint32_t page = page_of_role(PageRole::records);
  PageLine& line = segment.line(page);
  for (const Word value :
       {Word{0}, ~Word{0}, line.next + (Word{1} << kRefOffsetBits), line.next + (Word{1} << 34)}) {
    expect_corrupt("next", line.next, value);
    expect_corrupt("prev", line.prev, value);
  }
  expect_corrupt("fill", line.fill, line.fill - 8);
  expect_corrupt("fill", line.fill, 5000);
  expect_corrupt("stamp", segment.stamp(page), segment.stamp(page) + 1);
  for (int i = 0; i < 2; ++i) {
    expect_corrupt("head", commit(i).head, commit(i).head - 8);
    expect_corrupt("head", commit(i).head, 0);
    expect_corrupt("tail", commit(i).tail, segment.place(page, 8));
    expect_corrupt("index root", commit(i).index_root, 0);
    expect_corrupt("index root", commit(i).index_root, commit(i).index_root + 1);
  }
}

TEST_F(VerifyTest, PagesOfTheWrongOwnerOrTwoOwnersAreDamage) {
  const Segment& segment = rig_.engine->segment;
  for (const PageRole role : {PageRole::records, PageRole::index, PageRole::root}) {
    Word& word = segment.page_word(page_of_role(role));
    expect_corrupt("free", word, 0);
    expect_corrupt("another owner", word, word + 1);
    expect_corrupt("an owner that is none", word, word | 0xfffff);
    expect_corrupt("another role", word, word ^ (Word{7} << 20));
    expect_corrupt("live bytes", word, word + 8 * kPageLiveUnit);
  }
  std::uint32_t free = 0;
  while (segment.page_word(free) != 0) ++free;
  expect_corrupt("a free page with an owner", segment.page_word(free),
                 make_page_word(ids_[0], PageRole::records, 0));
  const std::uint32_t root = page_of_role(PageRole::root);
  expect_corrupt("an index page twice", segment.page(root)[0],
                 (segment.page(root)[0] & 0xffffffff) * 0x100000001);
}

TEST_F(VerifyTest, BrokenRecordsAndEntriesAreDamage) {
  const Segment& segment = rig_.engine->segment;
  const std::uint32_t page = ref_page(commit(0).tail);
  auto& record = *reinterpret_cast<RecordHeader*>(segment.page(page) + ref_offset(commit(0).tail) / 8);
  expect_corrupt("seq", record.seq, commit(0).next_seq - 1);
  expect_corrupt("seq", record.seq, 0);
  expect_corrupt("lengths", record.lengths, record.lengths + 1);
  expect_corrupt("lengths", record.lengths, ~Word{0});
  expect_corrupt("death", record.death, 1);
  expect_corrupt("death", record.death, slot(0).generation + 1000);
  expect_corrupt("tag", record.tag, record.tag ^ 1);
  auto* entries = reinterpret_cast<IndexEntry*>(segment.page(page_of_role(PageRole::index)));
  while (entries->hash <= kHashTombstone) ++entries;
  expect_corrupt("hash", entries->hash, entries->hash ^ 1);
  expect_corrupt("hash", entries->hash, kHashEmpty);
  expect_corrupt("newest", entries->newest, entries->newest + 8);
  expect_corrupt("oldest", entries->oldest, entries->oldest ^ (Word{1} << 20));
  expect_corrupt("live", entries->live, entries->live + 1);
  expect_corrupt("live", entries->live, entries->live + make_live(1, 0));
  expect_corrupt("depth", segment.line(page_of_role(PageRole::index)).fill, Word{60} << 32);
}

// Bits flipped anywhere: what is reported is called damage, not a torn copy. Excepted is what looks the
// same: a generation off by one is the commit before, just as a copy might have caught it, and an undo
// log that lacks a word leaves a change of the next commit in place. A link may by chance be bent to
// where a later commit would have bent it.
TEST_F(VerifyTest, ASingleFlippedBitIsNotTakenForATornCopy) {
  const Geometry& g = rig_.geometry;
  begin();
  work(25);
  const std::vector<Word> in_batch = rig_.memory;
  end();
  const std::vector<Word> at_rest = rig_.memory;
  std::uint64_t found = 0;
  std::uint64_t torn = 0;
  constexpr int kFlips = 30'000;
  for (int i = 0; i < kFlips; ++i) {
    const std::uint64_t bounds[] = {g.areas_at, g.slots_at, g.stamps_at,  g.page_words_at,
                                    g.lines_at, g.pages_at, g.total_bytes};
    const auto part = random_() % (std::size(bounds) - 1);
    const std::uint64_t at = (bounds[part] + random_() % (bounds[part + 1] - bounds[part])) / 8;
    if (at * 8 == offset_of(slot(0).generation) || at * 8 == offset_of(slot(1).generation)) continue;
    std::vector<Word> image = part == 0 || i % 2 == 0 ? at_rest : in_batch;
    const int bit = static_cast<int>(random_() % 64);
    image[at] ^= Word{1} << bit;
    const VerifyReport report = verify(std::move(image), g);
    found += report.ok ? 0 : 1;
    torn += report.torn_copy ? 1 : 0;
  }
  std::printf("flipped bits %d, found %llu, called torn %llu\n", kFlips,
              static_cast<unsigned long long>(found), static_cast<unsigned long long>(torn));
  EXPECT_GT(found, 2000u);
  EXPECT_LT(torn * 200, found);
}

//   copy:   | header | undo | slots |  columns  | lines |    pages    |
//   writer:      ^ batch        ^ bat ..... ch         ^ ^ ^
//
// The worst case for the judgement: one commit or two between two pieces, so that hardly any word tells.
TEST_F(VerifyTest, ACopyTakenPieceByPieceBetweenCommitsIsOkOrTornNotCorrupt) {
  constexpr std::size_t kPiece = 512;  // words
  std::array<std::uint64_t, 3> counts{};
  int copies = 0;
  for (const unsigned one_in : {1u, 4u, 20u, 60u}) {
    for (int i = 0; i < 1500; ++i, ++copies) {
      std::vector<Word> copy(rig_.memory.size());
      for (std::size_t at = 0; at < copy.size(); at += kPiece) {
        const std::size_t n = std::min(kPiece, copy.size() - at);
        std::copy_n(rig_.memory.begin() + static_cast<std::ptrdiff_t>(at), n,
                    copy.begin() + static_cast<std::ptrdiff_t>(at));
        if (random_() % one_in != 0) continue;
        if (worker_.has_value()) {
          work(static_cast<int>(random_() % 5));
          if (random_() % 2 == 0) end();
        } else {
          begin();
          work(1 + static_cast<int>(random_() % 8));
          if (random_() % 3 != 0) end();
        }
      }
      const VerifyReport report = verify(std::move(copy), rig_.geometry);
      ++counts[report.ok ? 0 : report.torn_copy ? 1 : 2];
    }
  }
  if (worker_.has_value()) end();
  std::printf("copies %d: ok %llu, torn %llu, corrupt %llu\n", copies,
              static_cast<unsigned long long>(counts[0]), static_cast<unsigned long long>(counts[1]),
              static_cast<unsigned long long>(counts[2]));
}

TEST(VerifyFile, AFileCopiedWhileItIsWrittenIsOkOrTornNeverCorrupt) {
  const TempDirectory directory;
  WriterOptions options;
  options.path = directory / "data";
  options.bytes = 3 << 20;
  options.page_bytes = 1024;
  auto opened = Writer::open(options);
  ASSERT_TRUE(opened.ok());
  Writer& writer = *opened.value();
  Worker w = writer.worker(0);
  const auto now = [] { return Now{system_clocks().wall_ns(), system_clocks().boot_ns()}; };
  std::vector<DirectoryId> ids;
  for (const Kind kind : {Kind::log, Kind::status}) {
    Quotas q;
    q.max_total_bytes = q.max_bytes_per_key = 200'000;
    ids.push_back(writer.open_directory(w, {kind, std::string(kind_name(kind)), q, 1, 1, 1}, now()).value());
  }
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> batches{0};
  std::thread writing([&] {
    std::mt19937_64 random(1);
    while (!done) {
      ASSERT_TRUE(w.begin(ids[random() % 2], now()));
      for (auto n = 1 + random() % 40; n > 0; --n) {
        w.append("key" + std::to_string(random() % 300), std::string(random() % 300, 'v'));
      }
      w.commit();
      ++batches;
    }
  });
  std::array<std::uint64_t, 3> counts{};
  std::uint64_t live = 0;
  const auto wait_for_a_commit = [&] {
    const std::uint64_t before = batches;
    while (batches == before) std::this_thread::yield();
  };
  for (int i = 0; i < 60; ++i) {
    wait_for_a_commit();
    // As cp does it: read(2) by pieces. Every other copy is slow enough to meet commits for sure.
    constexpr std::size_t kPiece = 16 << 10;
    const int fd = ::open(options.path.c_str(), O_RDONLY | O_CLOEXEC);
    std::string bytes(options.bytes, '\0');
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t got = ::read(fd, bytes.data() + at, std::min(bytes.size() - at, kPiece));
      ASSERT_GT(got, 0);
      at += static_cast<std::size_t>(got);
      if (i % 2 == 0 && at / kPiece % 16 == 0) {
        wait_for_a_commit();
      }
    }
    ::close(fd);
    write_file(directory / "copy", bytes);
    const auto copy = verify_file(directory / "copy");
    ASSERT_TRUE(copy.ok()) << copy.error().text;
    EXPECT_TRUE(copy.value().ok || copy.value().torn_copy) << join(copy.value().errors);
    ++counts[copy.value().ok ? 0 : copy.value().torn_copy ? 1 : 2];
    const auto itself = verify_file(options.path);
    ASSERT_TRUE(itself.ok());
    EXPECT_TRUE(itself.value().ok || itself.value().torn_copy)
        << "a live file: " << join(itself.value().errors);
    live += itself.value().ok ? 1 : 0;
  }
  done = true;
  writing.join();
  EXPECT_GT(counts[1], 0u) << "no copy was torn: the test shows nothing";
  std::printf("copies 60 over %llu batches: ok %llu, torn %llu, corrupt %llu; live file ok %llu\n",
              static_cast<unsigned long long>(batches), static_cast<unsigned long long>(counts[0]),
              static_cast<unsigned long long>(counts[1]), static_cast<unsigned long long>(counts[2]),
              static_cast<unsigned long long>(live));
  const auto at_rest = verify_file(options.path);
  EXPECT_TRUE(at_rest.ok() && at_rest.value().ok);
}

TEST(VerifyFile, DamageInAFileThatWasStoppedCleanlyIsNeverATornCopy) {
  const TempDirectory directory;
  WriterOptions options;
  options.path = directory / "data";
  options.bytes = 3 << 20;
  options.page_bytes = 1024;
  {
    auto opened = Writer::open(options);
    ASSERT_TRUE(opened.ok());
    Worker w = opened.value()->worker(0);
    const auto id = opened.value()->open_directory(w, {Kind::log, "d", Quotas{}, 1, 1, 1}, {1, 1});
    ASSERT_TRUE(w.begin(id.value(), {1, 1}));
    for (int i = 0; i < 100; ++i) w.append("k", "v");
    w.commit();
  }
  EXPECT_TRUE(verify_file(options.path).value().ok);
  std::string bytes = read_file(options.path);
  const Geometry g = geometry_from(reinterpret_cast<const Header*>(bytes.data())->constants).value();
  auto& slot = *reinterpret_cast<Slot*>(bytes.data() + g.slots_at);
  slot.generation -= 1;  // as if the pages were newer
  write_file(options.path, bytes);
  const auto report = verify_file(options.path);
  EXPECT_FALSE(report.value().ok);
  EXPECT_FALSE(report.value().torn_copy);
}

}  // namespace
}  // namespace mayfly::shm::test
