// Whatever is in the segment: a reader ends after a bounded visit and hands out nothing out of order;
// a writer resumes, refuses, or says that the segment contradicts itself.
#include <cstdio>

#include "tests/shm/directory_fixture.h"

namespace mayfly::shm::test {
namespace {

class HostileTest : public testing::Test {
 protected:
  HostileTest() {
    Quotas q;
    q.max_keys = 60;
    q.max_value_bytes = 9000;
    q.max_total_bytes = q.max_bytes_per_key = 40'000;
    rig_.engine->compact_eagerly = true;
    rig_.open("log", Kind::log, q);
    rig_.open("status", Kind::status, q);
    for (int i = 0; i < 600; ++i) {
      const std::size_t length = i % 50 == 0 ? 5000 : static_cast<std::size_t>(i * 37 % 200);
      rig_.append(static_cast<DirectoryId>(i % 2), "k" + std::to_string(i * 7 % 70),
                  std::string(length, 'v'));
    }
  }

  /// Every call of a Reader; returns how often the segment's size was read at most by one of them.
  std::uint64_t read_everything(const std::vector<Word>& image) {
    Result<Reader> opened = Reader::over(image.data(), image.size() * 8, rig_.clocks);
    if (!opened) return 0;
    Reader& reader = opened.value();
    std::uint64_t most = 0;
    std::uint64_t before = 0;
    const auto visited = [&] {
      most = std::max(most, reader.bytes_read() - before);
      before = reader.bytes_read();
    };
    reader.info();
    for (const DirectoryInfo& d : reader.directories()) {
      visited();
      check_order(reader.snapshot(d).records);
      visited();
      std::vector<RecordView> handed_out;
      Cursor cursor;
      ReadLimits limits;
      limits.max_bytes = ~0ull;
      reader.read(d, cursor, limits, [&](const RecordView& r) {
        handed_out.push_back({r.seq, r.time_ns, r.boot_ns, r.ordinal, {}, {}});
        touched_ += static_cast<std::uint64_t>(std::count(r.value.begin(), r.value.end(), 'v'));
        return true;
      });
      check_order(handed_out);
      visited();
      Cursor hint{d.next_seq / 2, random_()};
      reader.read(d, hint, {}, [](const RecordView&) { return true; });
      visited();
      reader.seek_last(d, 5, nullptr);
      visited();
      reader.seek_last(d, 5, [](const RecordView& r) { return r.key == "k3"; });
      visited();
      reader.seek_time(d, rig_.clocks.wall);
      reader.seek_time(d, 0);
      visited();
      reader.get(d, "k7");
      reader.get(d, "not there");
      visited();
      reader.find(d.name);
      reader.generation(d.id);
    }
    return most / rig_.geometry.total_bytes;
  }
  static void check_order(const std::vector<RecordView>& records) {
    for (std::size_t i = 1; i < records.size(); ++i) ASSERT_LT(records[i - 1].seq, records[i].seq);
  }

  /// The writer on a damaged image; true when it got through.
  bool write_on(std::vector<Word> image) {
    auto attached = Engine::attach(image.data(), rig_.geometry, 4, rig_.clocks);
    if (!attached) return false;
    Engine& engine = *attached.value();
    engine.corruption_handler = [](const std::string& what) { throw CorruptSegment{what}; };
    WorkerState& state = *engine.workers[0];
    state.now = rig_.clocks.now();
    try {
      for (int i = 0; i < 8; ++i) {
        const DirectoryId id = static_cast<DirectoryId>(i % 2);
        engine.with_directory(state, id, [&](Directory& d) {
          for (int n = 0; n < 40; ++n) {
            const std::string key = "k" + std::to_string(n * i % 80);
            d.append(state, key, d.key_hash(key), std::string(static_cast<std::size_t>(n * 31 % 300), 'w'));
          }
          d.unset(state, "k" + std::to_string(i));
          Quotas q = d.quotas();
          q.max_total_bytes = i == 5 ? 1000 : 40'000;
          d.apply_quotas(state, {static_cast<Kind>(d.now.kind), d.name, q, 1, 1, 1});
        });
      }
      engine.close_directory(state, 0, false);
    } catch (const CorruptSegment&) {
      return false;
    }
    return true;
  }

  Word strange_word(Word old) {
    switch (random_() % 6) {
      case 0:
        return random_();
      case 1:
        return old ^ (Word{1} << random_() % 64);
      case 2:
        return old + random_() % 65 - 32;
      case 3:
        return ~Word{0};
      case 4:
        return 0;
      default:
        return rig_.memory[random_() % rig_.memory.size()];
    }
  }
  /// Runs readers and a writer over `n` images with up to 30 words changed among those of `places`.
  void run(int n, const std::vector<std::uint64_t>& places) {
    std::uint64_t most = 0;
    int through = 0;
    for (int i = 0; i < n; ++i) {
      std::vector<Word> image = rig_.memory;
      for (auto words = 1 + random_() % (i % 4 == 0 ? 30 : 3); words > 0; --words) {
        const std::uint64_t at = places[random_() % places.size()];
        image[at] = strange_word(image[at]);
      }
      most = std::max(most, read_everything(image));
      VerifyReport report;
      std::vector<Word> copy = image;
      verify_image(copy.data(), rig_.geometry, report);
      through += write_on(std::move(image)) ? 1 : 0;
      if (HasFatalFailure()) return;
    }
    EXPECT_LE(most, 64u) << "a visit that reads the segment over and over";
    std::printf("images %d, at most %llu times the segment read by one call, the writer got through %d\n", n,
                static_cast<unsigned long long>(most), through);
  }
  std::vector<std::uint64_t> words_of(std::uint64_t from, std::uint64_t to) const {
    std::vector<std::uint64_t> all;
    for (; from + 8 <= to; from += 8) all.push_back(from / 8);
    return all;
  }
  std::uint64_t index_of(const void* word) const {
    return static_cast<std::uint64_t>(static_cast<const Word*>(word) - rig_.memory.data());
  }

  std::mt19937_64 random_{17};
  std::uint64_t touched_ = 0;
  Rig rig_{RigOptions{.bytes = 256 << 10}};
};

TEST_F(HostileTest, AnyWordBehindTheHeadersConstants) {
  run(3000, words_of(sizeof(HeaderConstants), rig_.geometry.total_bytes));
}

TEST_F(HostileTest, StateWordsUndoLogAndSlots) {
  const Geometry& g = rig_.geometry;
  std::vector<std::uint64_t> places = words_of(sizeof(HeaderConstants), sizeof(Header));
  for (const std::uint64_t at : words_of(g.areas_at, g.areas_at + sizeof(WorkerArea) + 160))
    places.push_back(at);
  for (const std::uint64_t at : words_of(g.slots_at, g.slots_at + 2 * sizeof(Slot))) places.push_back(at);
  run(2000, places);
}

TEST_F(HostileTest, ColumnsAndPageLines) {
  run(2000, words_of(rig_.geometry.stamps_at, rig_.geometry.pages_at));
}

TEST_F(HostileTest, LinksLengthsAndSequenceNumbersOfRecords) {
  std::vector<std::uint64_t> places;
  const Segment& segment = rig_.engine->segment;
  for (std::uint32_t page = 0; page < rig_.geometry.pages; ++page) {
    const PageRole role = page_role(segment.page_word(page));
    for (const Word* word : {&segment.line(page).next, &segment.line(page).prev, &segment.line(page).fill}) {
      if (role != PageRole::free) places.push_back(index_of(word));
    }
    if (role != PageRole::records && role != PageRole::run) continue;
    for (std::uint32_t offset = 0; offset + kRecordHeaderBytes <= segment.line(page).fill;) {
      const auto* header = reinterpret_cast<const RecordHeader*>(segment.page(page) + offset / 8);
      for (const Word* word :
           {&header->seq, &header->lengths, &header->tag, &header->death, &header->prev, &header->next}) {
        places.push_back(index_of(word));
      }
      offset += static_cast<std::uint32_t>(
          record_bytes(key_bytes_of(header->lengths), value_bytes_of(header->lengths)));
    }
  }
  run(2000, places);
}

TEST_F(HostileTest, IndexPages) {
  std::vector<std::uint64_t> places;
  const Segment& segment = rig_.engine->segment;
  for (std::uint32_t page = 0; page < rig_.geometry.pages; ++page) {
    const PageRole role = page_role(segment.page_word(page));
    if (role != PageRole::index && role != PageRole::root) continue;
    places.push_back(index_of(&segment.line(page).fill));
    const std::uint64_t at = rig_.geometry.pages_at + std::uint64_t{page} * rig_.geometry.page_bytes;
    for (const std::uint64_t word : words_of(at, at + rig_.geometry.page_bytes)) places.push_back(word);
  }
  run(1500, places);
}

// A ring of pages, which no reader may walk for ever.
TEST_F(HostileTest, ListsThatBiteTheirTails) {
  const Segment& segment = rig_.engine->segment;
  const Slot& slot = segment.slot(0);
  const Commit& c = slot.copies[slot.generation & 1];
  const std::uint32_t tail = ref_page(c.tail);
  const std::uint32_t second = ref_page(segment.line(tail).next);
  std::vector<Word> image = rig_.memory;
  image[index_of(&segment.line(second).next)] = segment.place(tail, 0);
  EXPECT_LE(read_everything(image), 64u);
  EXPECT_FALSE(write_on(image));
  image = rig_.memory;
  image[index_of(&segment.line(ref_page(c.head)).prev)] = c.head;
  EXPECT_LE(read_everything(image), 64u);
  write_on(image);
}

}  // namespace
}  // namespace mayfly::shm::test
