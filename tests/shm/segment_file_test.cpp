// Segment files: birth, resumption, locks, and everything strange that may lie in their place. What
// is unusable is set aside with a reason; nothing crashes, nothing hangs.
#include "shm/segment_file.h"

#include <sys/mount.h>
#include <xxhash.h>

#include <cstdio>
#include <thread>

#include "shm/geometry.h"
#include "shm/layout.h"
#include "shm/reader.h"
#include "shm/segment.h"
#include "shm/verify.h"
#include "shm/writer.h"
#include "tests/shm/temp_directory.h"

namespace mayfly::shm::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 4 << 20;

class SegmentFileTest : public testing::Test {
 protected:
  WriterOptions options() const {
    WriterOptions o;
    o.path = path_;
    o.bytes = kBytes;
    o.page_bytes = 4096;
    o.lock_wait = 30ms;
    return o;
  }
  static Now now() { return {system_clocks().wall_ns(), system_clocks().boot_ns()}; }
  /// Opens; the directory "d" is there afterwards.
  std::unique_ptr<Writer> open() {
    auto writer = Writer::open(options());
    EXPECT_TRUE(writer.ok()) << writer.error().text;
    Worker w = writer.value()->worker(0);
    if (writer.value()->directories().empty()) {
      EXPECT_TRUE(writer.value()->open_directory(w, {Kind::log, "d", Quotas{}, 1, 1, 1}, now()).ok());
    }
    return std::move(writer.value());
  }
  static void append(Writer& writer, int n) {
    Worker w = writer.worker(0);
    ASSERT_TRUE(w.begin(0, now()));
    for (; n > 0; --n) ASSERT_TRUE(w.append("key", "value " + std::to_string(n)).stored);
    w.commit();
  }
  std::uint64_t records() const {
    auto reader = Reader::open(path_);
    EXPECT_TRUE(reader.ok()) << reader.error().text;
    return reader.value().find("d")->records;
  }
  /// A segment with 100 records, left by a clean stop.
  std::string filled() {
    append(*open(), 100);
    return read_file(path_);
  }
  Errc open_error(const WriterOptions& o) {
    auto writer = Writer::open(o);
    EXPECT_FALSE(writer.ok());
    if (writer.ok()) return Errc::io;
    EXPECT_FALSE(writer.error().text.empty());
    return writer.error().code;
  }
  /// Opens over what lies there; it must have been set aside, and the new segment must work.
  OpenReport expect_set_aside() {
    auto writer = open();
    OpenReport report = writer->report();
    EXPECT_TRUE(report.created);
    EXPECT_EQ(report.set_aside, path_ + ".aside");
    EXPECT_FALSE(report.set_aside_reason.empty());
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(path_ + ".aside")));
    append(*writer, 3);
    EXPECT_EQ(records(), 3u);
    return report;
  }

  TempDirectory directory_;
  std::string path_ = directory_ / "data";
};

// --- birth and resumption -----------------------------------------------------------------------

TEST_F(SegmentFileTest, ASegmentIsMadeOnceAndResumedAfterwards) {
  std::uint64_t instance = 0;
  {
    auto writer = open();
    EXPECT_TRUE(writer->report().created);
    EXPECT_EQ(writer->report().epoch, 1u);
    EXPECT_EQ(writer->report().bytes, kBytes);
    EXPECT_FALSE(writer->report().size_differs);
    instance = writer->report().instance;
    append(*writer, 100);
    EXPECT_FALSE(Reader::open(path_).value().info().clean_stop);
  }
  EXPECT_TRUE(Reader::open(path_).value().info().clean_stop);
  auto writer = open();
  EXPECT_FALSE(writer->report().created);
  EXPECT_TRUE(writer->report().clean_stop);
  EXPECT_EQ(writer->report().epoch, 2u);
  EXPECT_EQ(writer->report().instance, instance);
  EXPECT_EQ(writer->report().rolled_back, 0u);
  EXPECT_EQ(records(), 100u);
  EXPECT_EQ(std::filesystem::file_size(path_), kBytes);
  struct stat seen = {};
  ASSERT_EQ(::stat(path_.c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 07777, 0640u);
}

TEST_F(SegmentFileTest, ASegmentKeepsItsSize) {
  filled();
  WriterOptions o = options();
  o.bytes = 2 * kBytes;
  const auto writer = Writer::open(o);
  ASSERT_TRUE(writer.ok());
  EXPECT_TRUE(writer.value()->report().size_differs);
  EXPECT_EQ(writer.value()->report().bytes, kBytes);
  EXPECT_EQ(records(), 100u);
}

TEST_F(SegmentFileTest, ImpossibleOptionsAreRefused) {
  WriterOptions o = options();
  o.bytes = 64 << 10;
  EXPECT_EQ(open_error(o), Errc::invalid);
  o = options();
  o.page_bytes = 5000;
  EXPECT_EQ(open_error(o), Errc::invalid);
  for (const std::uint32_t workers : {0u, kMaxWorkers + 1}) {
    o = options();
    o.workers = workers;
    EXPECT_EQ(open_error(o), Errc::invalid);
  }
}

TEST_F(SegmentFileTest, ASecondWriterWaitsThenGivesUp) {
  auto first = open();
  EXPECT_EQ(open_error(options()), Errc::busy);
  first.reset();
  EXPECT_TRUE(Writer::open(options()).ok());
}

TEST_F(SegmentFileTest, ASecondWriterTakesOverWhenTheFirstIsKilled) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  Child child([&] {
    auto writer = open();
    append(*writer, 7);
    if (::write(ready[1], "r", 1) != 1) return 1;
    ::pause();
    return 0;
  });
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(open_error(options()), Errc::busy);
  std::thread killer([&] { child.kill(); });
  WriterOptions patient = options();
  patient.lock_wait = 20s;
  const auto writer = Writer::open(patient);
  killer.join();
  ASSERT_TRUE(writer.ok());
  EXPECT_FALSE(writer.value()->report().clean_stop);
  EXPECT_EQ(records(), 7u);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(SegmentFileTest, AReaderNoticesThatItsSegmentWasReplaced) {
  filled();
  const Reader reader = std::move(Reader::open(path_).value());
  EXPECT_FALSE(reader.replaced());
  std::filesystem::rename(path_, path_ + ".old");
  EXPECT_TRUE(reader.replaced());
  open();
  EXPECT_TRUE(reader.replaced());
  EXPECT_EQ(reader.find("d")->records, 100u) << "the mapping outlives the name";
}

// --- places that are not trusted ----------------------------------------------------------------

TEST_F(SegmentFileTest, ADirectoryOnADiskIsRefusedUnlessAllowed) {
  const TempDirectory on_disk("/var/tmp");
  WriterOptions o = options();
  o.path = on_disk / "data";
  EXPECT_EQ(open_error(o), Errc::not_memory_backed);
  o.require_memory_backed = false;
  EXPECT_TRUE(Writer::open(o).ok());
}

TEST_F(SegmentFileTest, DirectoriesThatOthersControlAreRefused) {
  WriterOptions o = options();
  std::filesystem::create_directory(directory_ / "real");
  std::filesystem::create_directory_symlink(directory_ / "real", directory_ / "link");
  o.path = directory_ / "link/data";
  EXPECT_EQ(open_error(o), Errc::untrusted);
  o.path = directory_ / "real/data";
  ASSERT_EQ(::chmod((directory_ / "real").c_str(), 0777), 0);
  EXPECT_EQ(open_error(o), Errc::untrusted);
  o.path = directory_ / "nowhere/data";
  EXPECT_EQ(open_error(o), Errc::not_found);
  write_file(directory_ / "file", "");
  o.path = directory_ / "file/data";
  EXPECT_EQ(open_error(o), Errc::untrusted);
  if (::geteuid() == 0) {
    std::filesystem::create_directory(directory_ / "strange");
    ASSERT_EQ(::chown((directory_ / "strange").c_str(), 12345, 12345), 0);
    // What root meets is a stranger's; what a user meets that root owns is trusted.
    o.path = directory_ / "strange/data";
    EXPECT_EQ(open_error(o), Errc::untrusted);
  }
}

TEST_F(SegmentFileTest, ASymlinkOrSomethingElseInPlaceOfTheFileIsSetAside) {
  write_file(directory_ / "precious", "do not touch");
  std::filesystem::create_symlink(directory_ / "precious", path_);
  EXPECT_EQ(Reader::open(path_).error().code, Errc::untrusted);
  expect_set_aside();
  EXPECT_EQ(read_file(directory_ / "precious"), "do not touch");
  std::filesystem::remove(path_);
  std::filesystem::remove(path_ + ".aside");
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(Reader::open(path_).error().code, Errc::corrupt);
  expect_set_aside();
  std::filesystem::remove(path_);
  std::filesystem::remove(path_ + ".aside");
  std::filesystem::create_directory(path_);
  expect_set_aside();
}

TEST_F(SegmentFileTest, ASymlinkInPlaceOfTheLockIsNotFollowed) {
  write_file(directory_ / "precious", "");
  std::filesystem::create_symlink(directory_ / "precious", path_ + ".lock");
  EXPECT_EQ(open_error(options()), Errc::io);
}

TEST_F(SegmentFileTest, AFullFileSystemIsSaidSo) {
  const std::string mounted = directory_ / "small";
  std::filesystem::create_directory(mounted);
  if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=2m,mode=0755") != 0) {
    GTEST_SKIP() << "counted as skipped: mounting a small tmpfs takes root";
  }
  WriterOptions o = options();
  o.path = mounted + "/data";
  EXPECT_EQ(open_error(o), Errc::no_space);
  EXPECT_FALSE(std::filesystem::exists(o.path));
  EXPECT_FALSE(std::filesystem::exists(o.path + ".new")) << "nothing half-made is left";
  o.bytes = 1700 << 10;
  EXPECT_TRUE(Writer::open(o).ok());
  ::umount2(mounted.c_str(), MNT_DETACH);
}

// --- files that are no segments of ours ---------------------------------------------------------

TEST_F(SegmentFileTest, AHalfMadeFileOfAnEarlierBirthDoesNotMatter) {
  write_file(path_ + ".new", std::string(10'000, 'x'));
  auto writer = open();
  EXPECT_TRUE(writer->report().created);
  EXPECT_TRUE(writer->report().set_aside.empty());
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(SegmentFileTest, ForeignAndTruncatedFilesAreSetAside) {
  const std::string good = filled();
  for (const std::string& bytes :
       {std::string(), std::string("MYFLYDS1"), std::string(100, '\0'), std::string(kBytes, '\0'),
        std::string(kBytes, '\xff'), good.substr(0, 4095), good.substr(0, 4096), good.substr(0, kBytes / 2),
        good + std::string(4096, '\0')}) {
    std::filesystem::remove(path_);
    write_file(path_, bytes);
    EXPECT_FALSE(Reader::open(path_).ok());
    EXPECT_FALSE(verify_file(path_).ok());
    expect_set_aside();
    EXPECT_EQ(read_file(path_ + ".aside"), bytes) << "it is kept as it was";
  }
}

TEST_F(SegmentFileTest, EveryWordOfTheHeaderIsGuarded) {
  const std::string good = filled();
  for (std::uint64_t word = 0; word < sizeof(HeaderConstants) / 8; ++word) {
    std::string bad = good;
    bad[word * 8 + 2] = static_cast<char>(bad[word * 8 + 2] ^ 0x10);
    write_file(path_, bad);
    const auto reader = Reader::open(path_);
    ASSERT_FALSE(reader.ok()) << word;
    const OpenReport report = expect_set_aside();
    if (word * 8 == offsetof(HeaderConstants, layout_version)) {
      EXPECT_EQ(reader.error().code, Errc::wrong_version);
      EXPECT_NE(report.set_aside_reason.find("version"), std::string::npos);
    }
  }
}

TEST_F(SegmentFileTest, ABirthThatWasNotCompletedIsNotReady) {
  filled();
  scribble(path_, offsetof(Header, state.ready), std::string(8, '\0'));
  EXPECT_EQ(Reader::open(path_).error().code, Errc::not_ready);
  expect_set_aside();
}

TEST_F(SegmentFileTest, ASegmentOfAnotherBootIsReadButNotResumed) {
  std::string bytes = filled();
  Header& header = *reinterpret_cast<Header*>(bytes.data());
  header.constants.boot_id_low ^= 1;
  header.constants.checksum = XXH3_64bits(&header.constants, offsetof(HeaderConstants, checksum));
  write_file(path_, bytes);
  EXPECT_EQ(records(), 100u);
  EXPECT_NE(expect_set_aside().set_aside_reason.find("boot"), std::string::npos);
}

TEST_F(SegmentFileTest, ADamageThatTheWriterMetLastTimeIsNotResumed) {
  filled();
  Child child([&] {
    auto writer = open();
    writer->on_corruption([](const std::string&) { ::_exit(42); });
    Word root = 0;  // the index is found nowhere
    auto mapping = Mapping::open(path_, true, 4096);
    const Geometry g = geometry_from(reinterpret_cast<Header*>(mapping.value().words())->constants).value();
    const Segment segment(mapping.value().words(), g);
    for (std::uint32_t page = 0; page < g.pages; ++page) {
      if (page_role(segment.page_word(page)) == PageRole::index) root = page;
    }
    for (std::uint32_t i = 0; i < g.page_bytes / 8; ++i)
      segment.page(static_cast<std::uint32_t>(root))[i] = ~0ull - i;
    Worker w = writer->worker(0);
    Quotas q;
    q.max_total_bytes = 5;
    writer->apply_quotas(w, 0, {Kind::log, "d", q, 1, 1, 1}, now());
    return 1;
  });
  ASSERT_EQ(child.wait(), 42);
  EXPECT_NE(expect_set_aside().set_aside_reason.find("damaged"), std::string::npos);
}

// Whoever has the file mapped must live on when its bytes go away.
TEST_F(SegmentFileTest, TruncatedUnderReaderAndWriter) {
  auto writer = open();
  append(*writer, 100);
  auto reader = Reader::open(path_);
  ASSERT_TRUE(reader.ok());
  const auto directory = reader.value().find("d");
  ASSERT_TRUE(directory);
  EXPECT_FALSE(writer->torn());
  EXPECT_FALSE(reader.value().replaced());
  ASSERT_EQ(::truncate(path_.c_str(), 100), 0);
  EXPECT_TRUE(writer->torn());
  EXPECT_TRUE(reader.value().replaced());
  reader.value().snapshot(*directory);
  reader.value().directories();
  reader.value().info();
  writer->worker(0).heartbeat(1);
  EXPECT_TRUE(writer->torn());
  writer.reset();
  EXPECT_FALSE(open()->report().set_aside.empty());
}

}  // namespace
}  // namespace mayfly::shm::test
