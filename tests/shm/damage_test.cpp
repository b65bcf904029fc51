// Damage to one chosen word, or two: what is refused at attach, what the writer meets later, what readers
// make of it. hostile_test.cpp does the same at random places.
#include <xxhash.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "shm/segment_view.h"
#include "tests/shm/rig.h"

namespace mayfly::shm::test {
namespace {

using namespace std::chrono_literals;

/// A log of three pages and a status, both of 1 KiB pages.
class DamageTest : public testing::Test {
 protected:
  DamageTest() {
    Quotas q;
    q.max_value_bytes = 5000;
    log_ = rig_.open("log", Kind::log, q);
    status_ = rig_.open("status", Kind::status, q);
    for (int i = 0; i < 20; ++i) {
      rig_.append(log_, "key" + std::to_string(i % 4), std::string(60, 'v'));
      rig_.append(status_, "key" + std::to_string(i % 4), std::string(60, 'v'));
    }
    image_ = rig_.memory;
  }

  Segment segment() { return {image_.data(), rig_.geometry}; }
  Slot& slot() { return segment().slot(log_); }
  Commit& commit() { return slot().copies[slot().generation & 1]; }
  RecordHeader& record(Ref place) {
    return *reinterpret_cast<RecordHeader*>(segment().page(ref_page(place)) + ref_offset(place) / 8);
  }
  /// The reason for which the image is refused, after `damage`; "attached" if it is not. The image is
  /// whole again afterwards.
  std::string refusal(const std::function<void()>& damage) {
    damage();
    const auto engine = Engine::attach(image_.data(), rig_.geometry, 4, rig_.clocks);
    image_ = rig_.memory;
    return engine ? "attached" : engine.error().text;
  }
  Reader reader() {
    return std::move(Reader::over(image_.data(), rig_.geometry.total_bytes, rig_.clocks).value());
  }

  Rig rig_{RigOptions{.bytes = 128 << 10}};
  DirectoryId log_ = 0;
  DirectoryId status_ = 0;
  std::vector<Word> image_;
};

// --- at attach ----------------------------------------------------------------------------------

TEST_F(DamageTest, AHeaderThatIsShorterThanAHeaderIsNone) {
  EXPECT_EQ(Reader::over(image_.data(), sizeof(Header) - 8, rig_.clocks).error().code, Errc::corrupt);
}

TEST_F(DamageTest, UndoLogsThatMakeNoSenseAreRefused) {
  const auto with_log = [&](Word count, Word slot_number, Word target, Word offset) {
    return refusal([&] {
      WorkerArea& area = segment().area(1);
      area.undo_count = count;
      area.undo_slot = slot_number;
      area.undo_target = target;
      segment().undo_pairs(1)[0] = {offset, 1};
    });
  };
  const Geometry& g = rig_.geometry;
  const Word next = slot().generation + 1;
  EXPECT_EQ(with_log(g.undo_pairs + 1, log_, next, g.lines_at), "a scribbled undo log");
  EXPECT_EQ(with_log(1, g.slots, next, g.lines_at), "a scribbled undo log");
  EXPECT_EQ(with_log(1, log_, next + 1, g.lines_at), "an undo log of another time");
  EXPECT_EQ(with_log(1, log_, next - 2, g.lines_at), "an undo log of another time");
  EXPECT_EQ(with_log(1, log_, next, g.lines_at + 4), "an undo log that points elsewhere");
  EXPECT_EQ(with_log(1, log_, next, g.stamps_at), "an undo log that points elsewhere");
  EXPECT_EQ(with_log(1, log_, next, g.total_bytes), "an undo log that points elsewhere");
  EXPECT_EQ(with_log(1, log_, next - 1, g.stamps_at), "attached")
      << "of a commit that was made: not looked at";
}

TEST_F(DamageTest, DirectoriesThatMakeNoSenseAreRefused) {
  const Word beyond = make_ref(1, rig_.geometry.pages, 0);
  const std::vector<std::pair<const char*, std::function<void()>>> damages = {
      {"state", [&] { commit().state = 2; }},
      {"no name", [&] { slot().name_bytes = 0; }},
      {"a name too long", [&] { slot().name_bytes = kMaxNameBytes + 1; }},
      {"a name of strange letters", [&] { slot().name[0] = ~Word{0}; }},
      {"no kind", [&] { commit().kind = 0; }},
      {"an unknown kind", [&] { commit().kind = 3; }},
      {"the head beyond the pages", [&] { commit().head = beyond; }},
      {"the tail beyond the pages", [&] { commit().tail = beyond; }},
      {"the index beyond the pages", [&] { commit().index_root = beyond; }},
      {"the key scan beyond the pages", [&] { commit().key_scan = beyond; }},
      {"a head without a tail", [&] { commit().tail = 0; }},
      {"a tail without a head", [&] { commit().head = 0; }},
      {"records without pages", [&] { commit().head = commit().tail = 0; }},
      {"records without an index", [&] { commit().index_root = 0; }},
      {"more keys than records", [&] { commit().keys = commit().records + 1; }},
      {"an index too deep", [&] { commit().index_root += rig_.geometry.max_depth() + 1; }},
  };
  for (const auto& [what, damage] : damages) {
    EXPECT_EQ(refusal(damage), "directory slot 0 makes no sense") << what;
  }
  EXPECT_EQ(refusal([&] { segment().header().state.slots_used = rig_.geometry.slots + 1; }),
            "more directories in use than there are");
  EXPECT_EQ(refusal([] {}), "attached");
}

// What no committed state refers to is free, whatever is written on it.
TEST_F(DamageTest, PagesOfNobodyAreTakenBackAtAttach) {
  const Geometry& g = rig_.geometry;
  const std::uint64_t free_before = rig_.reader().info().pages_free;
  std::vector<std::uint32_t> free;
  for (std::uint32_t page = 0; page < g.pages && free.size() < 4; ++page) {
    if (segment().page_word(page) == 0) free.push_back(page);
  }
  segment().page_word(free[0]) = make_page_word(g.slots + 7, PageRole::records, 0);  // of no slot
  segment().page_word(free[1]) = make_page_word(3, PageRole::records, 0);            // of a slot never used
  commit().head = commit().tail = commit().index_root =
      0;  // emptied, and killed before its pages were given up
  commit().records = commit().keys = commit().bytes = 0;
  commit().stored = 0;
  auto engine = Engine::attach(image_.data(), g, 4, rig_.clocks);
  ASSERT_TRUE(engine.ok()) << engine.error().text;
  EXPECT_GT(reader().info().pages_free, free_before);
  EXPECT_EQ(segment().page_word(free[0]), 0u);
  EXPECT_EQ(segment().page_word(free[1]), 0u);
}

// --- stamps -------------------------------------------------------------------------------------

//   reader:  stamp 7, copies ......................... stamp 7?
//   writer:            takes the page, writes | killed   | recovery
//
// A stamp that recovery put back would let that reader believe a mixture.
TEST_F(DamageTest, APageThatAnUndoneBatchWroteDoesNotGetItsStampBack) {
  const std::vector<Word> before = rig_.memory;
  Worker w = rig_.worker();
  ASSERT_TRUE(w.begin(log_, rig_.clocks.now()));
  for (int i = 0; i < 40; ++i) w.append("key", std::string(100, 'w'));
  image_ = rig_.memory;  // killed here
  w.commit();
  ASSERT_TRUE(Engine::attach(image_.data(), rig_.geometry, 4, rig_.clocks).ok());
  const Segment then(const_cast<Word*>(before.data()), rig_.geometry);
  int written = 0;
  for (std::uint32_t page = 0; page < rig_.geometry.pages; ++page) {
    EXPECT_EQ(segment().page_word(page), then.page_word(page)) << "all is undone but the stamps";
    const bool in_use = then.page_word(page) != 0;
    if (in_use ||
        std::equal(then.page(page), then.page(page) + rig_.geometry.page_bytes / 8, segment().page(page)))
      continue;
    ++written;
    EXPECT_GT(segment().stamp(page), then.stamp(page)) << "page " << page;
  }
  EXPECT_GE(written, 2);
}

// --- readers ------------------------------------------------------------------------------------

TEST_F(DamageTest, ASegmentOfAnotherBootIsJudgedByItsLastHeartbeat) {
  for (Word HeaderConstants::*half : {&HeaderConstants::boot_id_low, &HeaderConstants::boot_id_high}) {
    image_ = rig_.memory;
    HeaderConstants& constants = segment().header().constants;
    constants.*half ^= 1;
    constants.checksum = XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
    segment().area(1).heartbeat_boot_ns = rig_.clocks.boot + 5;
    Reader r = reader();
    EXPECT_FALSE(r.info().same_boot);
    const SegmentView view(image_.data(), rig_.geometry, rig_.clocks);
    EXPECT_EQ(view.boot_now(), rig_.clocks.boot + 5);
    EXPECT_EQ(r.find("log")->records, 20u);
  }
}

/// Changes a word without pause, as no writer would, in a thread of its own.
class Spinner {
 public:
  explicit Spinner(Word* word)
      : thread_([this, word] {
          while (!done_.load(std::memory_order_relaxed)) __atomic_fetch_add(word, 2, __ATOMIC_RELAXED);
        }) {}
  ~Spinner() {
    done_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

/// Tries until `happens` was. Whether it ever is, is up to the scheduler: the writer must run while the
/// reader does. So a case that did not come up is told, not failed.
void try_for(const char* what, const std::function<bool()>& happens) {
  const auto deadline = std::chrono::steady_clock::now() + 2s;
  while (!happens()) {
    if (std::chrono::steady_clock::now() < deadline) continue;
    std::printf("not reached on this machine: %s\n", what);
    return;
  }
}

TEST_F(DamageTest, AGenerationThatNeverStandsStillEndsInNoAnswer) {
  const DirectoryInfo info = *reader().find("log");
  const Spinner spinner(&slot().generation);
  Reader r = reader();
  const SegmentView view(image_.data(), rig_.geometry, rig_.clocks);
  CommittedState state;
  try_for("!view.load(log_, state)", [&] { return !view.load(log_, state); });
  try_for("view.load_name(log_, info.incarnation).empty()",
          [&] { return view.load_name(log_, info.incarnation).empty(); });
  try_for("!r.find(Kind::log, \"log\")", [&] { return !r.find(Kind::log, "log"); });
  try_for("r.directories().size() == 1", [&] { return r.directories().size() == 1; });
  try_for("!r.snapshot(info).found", [&] { return !r.snapshot(info).found; });
  try_for("r.seek_last(info, 1, nullptr) == 0", [&] { return r.seek_last(info, 1, nullptr) == 0; });
  try_for("r.seek_time(info, 1) == 0", [&] { return r.seek_time(info, 1) == 0; });
  try_for("!r.get(info, \"key1\")", [&] { return !r.get(info, "key1"); });
  try_for("r.info().removed_stored == 0", [&] { return r.info().removed_stored == 0; });
  Cursor cursor;
  try_for("a generation seen in passing",
          ([&] { return r.read(info, cursor, {}, [](const RecordView&) { return true; }).reached_end; }));
}

TEST_F(DamageTest, WhatWasAppliedIsReadWholeWhileItChanges) {
  for (Applied& applied : segment().header().applied) applied.serial = applied.control_instance = 9;
  const Spinner spinner(&segment().header().applied_generation);
  const Reader r = reader();
  for (int i = 0; i < 2000; ++i) {
    const SegmentInfo info = r.info();
    EXPECT_TRUE(info.applied_serial == 9 || info.applied_serial == 0) << "read, or given up";
    EXPECT_EQ(info.applied_control_instance, info.applied_serial);
  }
}

// Each try meets a new commit and the same broken page: a last try there is all the same.
TEST_F(DamageTest, EndlessCommitsOverABrokenPageEndTheRead) {
  const DirectoryInfo info = *reader().find("log");
  record(commit().tail).lengths = ~Word{0};
  int asked = 0;
  Reader r = reader();
  r.seek_last(info, ~0ull, [&](const RecordView&) {
    __atomic_fetch_add(&slot().generation, 2, __ATOMIC_RELEASE);
    ++asked;
    return false;
  });
  EXPECT_GT(asked, 64);
  EXPECT_LT(asked, 64 * 21);
}

TEST_F(DamageTest, AReaderOverMemoryIsNeverReplaced) { EXPECT_FALSE(reader().replaced()); }

}  // namespace
}  // namespace mayfly::shm::test
