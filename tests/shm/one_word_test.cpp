// One damaged word, everywhere: each word that the writer, the readers and the validator go by is given each
// of a few telling values, and each of them goes over the result. The writer goes on or says that the segment
// contradicts itself; readers and validator end. Nothing reads or writes elsewhere (ASan), nothing hangs.
#include <cstdio>

#include "tests/shm/rig.h"

namespace mayfly::shm::test {
namespace {

constexpr DirectoryId kLog = 0;
constexpr DirectoryId kStatus = 1;

Quotas small_quotas() {
  Quotas q;
  q.max_keys = 24;
  q.max_value_bytes = 3000;
  q.max_total_bytes = q.max_bytes_per_key = 9000;
  q.max_events_per_key = 6;
  return q;
}

class OneWordTest : public testing::Test {
 protected:
  OneWordTest() {
    rig_.engine->compact_eagerly = true;
    rig_.open("log", Kind::log, small_quotas());
    rig_.open("status", Kind::status, small_quotas());
    for (int i = 0; i < 260; ++i) {
      rig_.append(i % 3 == 0 ? kStatus : kLog, "key" + std::to_string(i * 7 % 31),
                  std::string(i % 60 == 59 ? 2500 : static_cast<std::size_t>(i * 13 % 150), 'v'));
    }
  }

  using Job = void (*)(Engine&, WorkerState&);
  static void append(Engine& engine, WorkerState& state, int from, int to, std::size_t bytes) {
    for (const DirectoryId id : {kLog, kStatus}) {
      engine.with_directory(state, id, [&](Directory& d) {
        for (int i = from; i < to; ++i) {
          const std::string key = "key" + std::to_string(i);
          d.append(state, key, d.key_hash(key), std::string(bytes, 'w'));
        }
      });
    }
  }
  static void apply(Engine& engine, WorkerState& state, const Quotas& quotas) {
    for (const DirectoryId id : {kLog, kStatus}) {
      engine.with_directory(state, id, [&](Directory& d) {
        d.apply_quotas(state, {static_cast<Kind>(d.now.kind), d.name, quotas, 1, 1, 1});
      });
    }
  }
  static std::vector<Job> jobs() {
    return {
        [](Engine& e, WorkerState& s) {  // small batches, so that pages are freed and merged in between
          for (int i = 0; i < 36; i += 6) append(e, s, i, i + 6, 120);
        },
        [](Engine& e, WorkerState& s) {
          append(e, s, 0, 2, 2900);
          append(e, s, 40, 60, 10);
        },
        [](Engine& e, WorkerState& s) {
          for (const DirectoryId id : {kLog, kStatus}) {
            e.with_directory(s, id, [&](Directory& d) {
              for (int i = 0; i < 31; ++i) d.unset(s, "key" + std::to_string(i));
            });
          }
        },
        [](Engine& e, WorkerState& s) {
          Quotas q = small_quotas();
          q.max_value_bytes = 100;
          apply(e, s, q);
          q.max_events_per_key = 1;
          apply(e, s, q);
        },
        [](Engine& e, WorkerState& s) {
          Quotas q = small_quotas();
          q.max_keys = 3;
          apply(e, s, q);
          q.max_total_bytes = 300;
          apply(e, s, q);
        },
        [](Engine& e, WorkerState& s) {
          s.now.boot_ns += 1'000'000 * 1'000'000'000ull;
          for (const DirectoryId id : {kLog, kStatus})
            e.with_directory(s, id, [&](Directory& d) { d.evict_due(s, 20); });
        },
        [](Engine& e, WorkerState& s) {
          for (const DirectoryId id : {kLog, kStatus}) {
            e.with_directory(s, id, [&](Directory& d) { d.evict_oldest_page(s); });
            e.close_directory(s, id, false);
          }
        },
    };
  }

  void write_on(std::vector<Word> image, Job job) {
    auto attached = Engine::attach(image.data(), rig_.geometry, 4, rig_.clocks);
    if (!attached) {
      ++refused_;
      return;
    }
    Engine& engine = *attached.value();
    engine.compact_eagerly = true;
    engine.corruption_handler = [](const std::string& what) { throw CorruptSegment{what}; };
    WorkerState& state = *engine.workers[0];
    state.now = rig_.clocks.now();
    try {
      job(engine, state);
      ++went_on_;
    } catch (const CorruptSegment&) {
      ++said_so_;
    }
  }

  void read(const std::vector<Word>& image) {
    Reader reader = std::move(Reader::over(image.data(), image.size() * 8, rig_.clocks).value());
    for (const DirectoryInfo& d : reader.directories()) {
      const Reader::Snapshot snapshot = reader.snapshot(d);
      for (std::size_t i = 1; i < snapshot.records.size(); ++i) {
        ASSERT_LT(snapshot.records[i - 1].seq, snapshot.records[i].seq);
      }
      reader.seek_last(d, 3, nullptr);
      reader.seek_time(d, rig_.clocks.wall);
      reader.get(d, "key7");
      Cursor cursor{d.next_seq > 5 ? d.next_seq - 5 : 0, 0};
      reader.read(d, cursor, {}, [](const RecordView&) { return true; });
    }
  }

  /// Gives the word its telling values, one after the other, and sets everybody on it.
  void damage(const Word* word) {
    const auto at = static_cast<std::size_t>(word - rig_.memory.data());
    const Word old = *word;
    const Word beyond = make_ref(ref_stamp(old), rig_.geometry.pages, 0);
    const Word elsewhere = old + (Word{1} << kRefOffsetBits);
    std::vector<Word> image = rig_.memory;
    for (const Word value :
         {Word{0}, ~Word{0}, old + 8, old - 8, old + 1, beyond, elsewhere, rig_.memory[head_at_]}) {
      if (value == old) continue;
      image[at] = value;
      read(image);
      std::vector<Word> copy = image;
      VerifyReport report;
      verify_image(copy.data(), rig_.geometry, report);
      for (const Job job : jobs_) write_on(image, job);
      if (HasFatalFailure()) return;
    }
  }

  const Segment& segment() const { return rig_.engine->segment; }
  std::vector<const RecordHeader*> records_in(std::uint32_t page) const {
    std::vector<const RecordHeader*> all;
    const Word word = segment().page_word(page);
    const Slot& slot = segment().slot(page_owner(word));
    const Commit& c = slot.copies[slot.generation & 1];
    const std::uint64_t end = ref_page(c.head) == page ? ref_offset(c.head) : segment().line(page).fill;
    for (std::uint64_t offset = 0; offset + kRecordHeaderBytes <= end;) {
      all.push_back(reinterpret_cast<const RecordHeader*>(segment().page(page) + offset / 8));
      offset += record_bytes(key_bytes_of(all.back()->lengths), value_bytes_of(all.back()->lengths));
    }
    return all;
  }
  void say() const { std::printf("refused %d, went on %d, said so %d\n", refused_, went_on_, said_so_); }

  Rig rig_{RigOptions{.bytes = 72 << 10, .undo_pairs = 256, .slots = 2, .worker_areas = 1}};
  std::vector<Job> jobs_ = jobs();
  std::size_t head_at_ = (rig_.geometry.slots_at + offsetof(Slot, copies) + offsetof(Commit, head)) / 8;
  int refused_ = 0;
  int went_on_ = 0;
  int said_so_ = 0;
};

TEST_F(OneWordTest, OfADirectory) {
  for (const DirectoryId id : {kLog, kStatus}) {
    const Slot& slot = segment().slot(id);
    damage(&slot.generation);
    damage(&slot.name_bytes);
    const auto* words = reinterpret_cast<const Word*>(&slot.copies[slot.generation & 1]);
    for (std::size_t i = 0; i < kCommitWords && !HasFatalFailure(); ++i) damage(words + i);
  }
  say();
  EXPECT_GT(refused_, 20);
  EXPECT_GT(said_so_, 20);
}

TEST_F(OneWordTest, OfAPage) {
  for (std::uint32_t page = 0; page < rig_.geometry.pages && !HasFatalFailure(); ++page) {
    damage(&segment().page_word(page));
    if (page_role(segment().page_word(page)) == PageRole::free) continue;
    damage(&segment().stamp(page));
    const PageLine& line = segment().line(page);
    for (const Word* word : {&line.next, &line.prev, &line.fill, &line.role}) damage(word);
  }
  say();
  EXPECT_GT(said_so_, 100);
}

TEST_F(OneWordTest, OfARecord) {
  for (std::uint32_t page = 0; page < rig_.geometry.pages && !HasFatalFailure(); ++page) {
    const PageRole role = page_role(segment().page_word(page));
    if (role != PageRole::records && role != PageRole::run) continue;
    for (const RecordHeader* r : records_in(page)) {
      if (r->seq % 3 != 0 && r->death == 0) continue;  // a third of them will do
      for (const Word* word : {&r->seq, &r->lengths, &r->tag, &r->death, &r->prev, &r->next}) damage(word);
    }
  }
  say();
  EXPECT_GT(said_so_, 100);
}

TEST_F(OneWordTest, OfTheIndex) {
  for (std::uint32_t page = 0; page < rig_.geometry.pages && !HasFatalFailure(); ++page) {
    const PageRole role = page_role(segment().page_word(page));
    if (role != PageRole::index && role != PageRole::root) continue;
    damage(&segment().line(page).fill);
    for (std::uint32_t i = 0; i < rig_.geometry.page_bytes / 8; ++i) {
      const Word* word = segment().page(page) + i;
      if (*word != 0 || i % 8 == 0) damage(word);
    }
  }
  say();
  EXPECT_GT(said_so_, 100);
}

}  // namespace
}  // namespace mayfly::shm::test
