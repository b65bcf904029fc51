// Segment files where the operating system says no: a clean error each time, and nothing left behind.
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cerrno>

#include "shm/engine.h"
#include "shm/reader.h"
#include "shm/segment_file.h"
#include "shm/writer.h"
#include "tests/shm/failing_calls.h"
#include "tests/shm/temp_directory.h"

namespace mayfly::shm::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kFileBytes = 2 << 20;

class FileCallsTest : public testing::Test {
 protected:
  WriterOptions options() const {
    WriterOptions o;
    o.path = path_;
    o.bytes = kFileBytes;
    o.page_bytes = 1024;
    o.lock_wait = 20ms;
    return o;
  }
  /// The error of Writer::open, which must fail.
  Error open_error(const WriterOptions& o) {
    auto writer = Writer::open(o);
    EXPECT_FALSE(writer.ok());
    return writer.ok() ? Error{Errc::io, ""} : writer.error();
  }
  void expect_error(Errc code, const std::string& text) {
    const Error error = open_error(options());
    EXPECT_EQ(errc_name(error.code), std::string(errc_name(code))) << error.text;
    EXPECT_NE(error.text.find(text), std::string::npos) << error.text;
  }
  void expect_works() { EXPECT_TRUE(Writer::open(options()).ok()); }
  bool exists(const std::string& name) const { return std::filesystem::exists(directory_ / name); }

  TempDirectory directory_;
  std::string path_ = directory_ / "data";
};

// --- birth --------------------------------------------------------------------------------------

TEST_F(FileCallsTest, AllocationGoesOnWhenASignalInterruptsIt) {
  const Failing interrupted(Call::posix_fallocate, EINTR, 3);
  expect_works();
  EXPECT_EQ(interrupted.failed(), 3);
}

TEST_F(FileCallsTest, ABirthThatFailsLeavesNothing) {
  WriterOptions grouped = options();
  grouped.file_group = ::getegid();
  struct Case {
    Call call;
    int error;
    Errc code;
    const char* text;
  };
  for (const Case& c : {Case{Call::posix_fallocate, ENOSPC, Errc::no_space, "no room for"},
                        Case{Call::posix_fallocate, EFBIG, Errc::io, "allocating"},
                        Case{Call::fchown, EPERM, Errc::io, "changing the group"},
                        Case{Call::fchmod, EPERM, Errc::io, "changing the mode"},
                        Case{Call::rename, EACCES, Errc::io, "renaming"}}) {
    const Failing failing(c.call, c.error);
    const Error error = open_error(grouped);
    EXPECT_EQ(failing.failed(), 1);
    EXPECT_EQ(errc_name(error.code), std::string(errc_name(c.code)));
    EXPECT_NE(error.text.find(c.text), std::string::npos) << error.text;
    EXPECT_FALSE(exists("data"));
    if (c.call != Call::rename) {
      EXPECT_FALSE(exists("data.new"));
    }
  }
  EXPECT_TRUE(Writer::open(grouped).ok()) << "what is left of an earlier birth is in nobody's way";
}

//   open():   data.lock | data (not there) | boot id | data.new | data.new again, to map it
TEST_F(FileCallsTest, AFileThatCannotBeOpenedIsSaidSo) {
  const auto nth = [](int n, int error) {
    return Failing::Fate([n, error](int before) { return before == n ? error : 0; });
  };
  {
    const Failing failing(Call::open, nth(0, EACCES));
    expect_error(Errc::io, "data.lock");
  }
  {
    const Failing failing(Call::open, nth(1, EACCES));
    expect_error(Errc::io, "opening");
  }
  {
    const Failing failing(Call::open, nth(2, ENOSPC));
    expect_error(Errc::no_space, "creating");
  }
  {
    const Failing failing(Call::open, nth(2, EMFILE));
    expect_error(Errc::io, "creating");
  }
  {
    const Failing failing(Call::open, nth(3, EMFILE));
    expect_error(Errc::io, "opening");
  }
  {
    const Failing failing(Call::open, nth(4, EMFILE));  // by Boost, through /proc
    expect_error(Errc::io, "mapping");
  }
  expect_works();
}

// --- what is there ------------------------------------------------------------------------------

TEST_F(FileCallsTest, AFileThatCannotBeLookedAtOrMappedStaysWhereItIs) {
  expect_works();
  {
    const Failing failing(Call::fstat, EIO);
    expect_error(Errc::io, "looking at");
  }
  {
    const Failing failing(Call::mmap, ENOMEM);
    expect_error(Errc::io, "mapping");
  }
  {
    const Failing failing(Call::mmap, ENOMEM);
    EXPECT_EQ(Reader::open(path_).error().code, Errc::io);
  }
  EXPECT_FALSE(exists("data.aside"));
  EXPECT_FALSE(Writer::open(options()).value()->report().created);
}

TEST_F(FileCallsTest, AnUnusableFileThatCannotBeMovedAsideIsAnError) {
  write_file(path_, std::string(10'000, 'x'));
  const Failing failing(Call::rename, EACCES);
  expect_error(Errc::io, "moving aside");
  EXPECT_EQ(read_file(path_), std::string(10'000, 'x'));
}

TEST_F(FileCallsTest, AFullFileSystemAfterAnUnusableFileWasMovedAside) {
  write_file(path_, std::string(10'000, 'x'));
  const Failing failing(Call::posix_fallocate, ENOSPC);
  expect_error(Errc::no_space, "no room for");
  EXPECT_TRUE(exists("data.aside"));
}

// --- the lock -----------------------------------------------------------------------------------

TEST_F(FileCallsTest, TheLockIsTriedAgainWhereThatHelps) {
  for (const int error : {EINTR, EACCES, EAGAIN}) {
    const Failing failing(Call::fcntl, error);
    WriterOptions patient = options();
    patient.lock_wait = 20s;
    EXPECT_TRUE(Writer::open(patient).ok()) << error;
    EXPECT_EQ(failing.failed(), 1);
  }
  const Failing failing(Call::fcntl, ENOLCK);
  expect_error(Errc::io, "locking");
}

// --- directories --------------------------------------------------------------------------------

TEST_F(FileCallsTest, DirectoriesThatCannotBeJudgedAreRefused) {
  {
    const Failing failing(Call::statfs, EIO);
    expect_error(Errc::io, directory_.path());
  }
  write_file(directory_ / "file", "");
  EXPECT_EQ(check_directory(directory_ / "file/below", true).error().code, Errc::io);
}

TEST_F(FileCallsTest, RootsOwnDirectoriesAreTrustedByEverybody) {
  struct stat seen = {};
  ASSERT_EQ(::lstat("/proc", &seen), 0);
  ASSERT_EQ(seen.st_uid, 0u);
  const OtherUser user(12345);
  EXPECT_TRUE(check_directory("/proc", false).ok());
}

TEST_F(FileCallsTest, EveryFileSystemInMemoryWillDo) {
  struct Case {
    unsigned type;
    bool memory;
  };
  for (const Case& c :
       {Case{0x01021994, true}, Case{0x858458f6, true}, Case{0x958458f6, true},  // tmpfs, ramfs, huge pages
        Case{0xef53, false}, Case{0x6969, false}, Case{0x794c7630, false}}) {    // ext4, NFS, overlay
    const EditedStatfs edited(
        [&](struct statfs& seen) { seen.f_type = static_cast<decltype(seen.f_type)>(c.type); });
    EXPECT_EQ(check_directory(directory_.path(), true).ok(), c.memory) << c.type;
    EXPECT_TRUE(check_directory(directory_.path(), false).ok());
  }
}

TEST(FilePaths, TheFolderOfAPath) {
  EXPECT_EQ(directory_of("data"), ".");
  EXPECT_EQ(directory_of("/data"), "/");
  EXPECT_EQ(directory_of("/a/b/data"), "/a/b");
  EXPECT_EQ(directory_of("a/data"), "a");
}

// --- mappings whose file changes ----------------------------------------------------------------

TEST_F(FileCallsTest, AFileIsKnownByDeviceAndInode) {
  expect_works();
  const Mapping mapping = std::move(Mapping::open(path_, false, 4096).value());
  EXPECT_FALSE(mapping.replaced(path_));
  EXPECT_FALSE(mapping.torn(path_));
  {
    const EditedStat elsewhere([](struct stat& seen) { ++seen.st_dev; });
    EXPECT_TRUE(mapping.replaced(path_));
    EXPECT_FALSE(mapping.torn(path_)) << "another file's length says nothing";
  }
  {
    const EditedStat elsewhere([](struct stat& seen) { ++seen.st_ino; });
    EXPECT_TRUE(mapping.replaced(path_));
    EXPECT_FALSE(mapping.torn(path_));
  }
  std::filesystem::remove(path_);
  EXPECT_TRUE(mapping.replaced(path_));
  EXPECT_FALSE(mapping.torn(path_)) << "whoever has it mapped still has it whole";
}

TEST_F(FileCallsTest, AFileThatWasShortForAMomentStaysTorn) {
  expect_works();
  const Mapping mapping = std::move(Mapping::open(path_, false, 4096).value());
  ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
  EXPECT_TRUE(mapping.torn(path_));
  EXPECT_EQ(load_acquire(mapping.words()), 0u);
  ASSERT_EQ(::truncate(path_.c_str(), kFileBytes), 0);
  EXPECT_TRUE(mapping.torn(path_));
  EXPECT_TRUE(mapping.replaced(path_));
}

// --- randomness and the boot id -----------------------------------------------------------------

TEST(RandomWord, IsAskedForUntilItIsThere) {
  const Failing failing(Call::getrandom, EINTR, 2);
  EXPECT_NE(random_word(), 0u);
  EXPECT_EQ(failing.failed(), 2);
}

TEST_F(FileCallsTest, WithoutABootIdSegmentsAreOfAnotherBoot) {
  const BootId boot = current_boot_id();
  EXPECT_FALSE(boot == BootId{});
  EXPECT_EQ(boot, current_boot_id());
  {
    const Failing failing(Call::open, ENOENT);
    EXPECT_EQ(current_boot_id(), BootId{});
  }
  {
    const Failing failing(Call::read, EIO);
    EXPECT_EQ(current_boot_id(), BootId{});
  }
  expect_works();
  // data.lock, data, data again through /proc, the boot id: what cannot be known is not resumed.
  const Failing failing(Call::open, [](int before) { return before == 3 ? EMFILE : 0; });
  auto writer = Writer::open(options());
  ASSERT_TRUE(writer.ok()) << writer.error().text;
  EXPECT_NE(writer.value()->report().set_aside_reason.find("another boot"), std::string::npos);
}

// --- segments that others made ------------------------------------------------------------------

TEST_F(FileCallsTest, ASegmentMadeForFewerWorkersIsNotUsedByMore) {
  GeometryRequest request;
  request.bytes = kFileBytes;
  request.page_bytes = 1024;
  request.worker_areas = 2;
  const Geometry geometry = plan_geometry(request).value();
  FileOptions file;
  file.path = path_;
  ASSERT_TRUE(Mapping::create(file, geometry.total_bytes, [&](Word* base) {
                format_segment(base, geometry, 5, 1);
              }).ok());
  WriterOptions o = options();
  o.workers = 3;
  EXPECT_EQ(open_error(o).code, Errc::invalid);
  o.workers = 2;
  EXPECT_TRUE(Writer::open(o).ok());
}

TEST_F(FileCallsTest, ASegmentWhoseStateMakesNoSenseIsSetAsideWithTheReason) {
  expect_works();
  const std::uint64_t places[] = {offsetof(Header, state.slots_used),
                                  sizeof(Header)};  // the first undo count
  const std::string reasons[] = {"more directories in use", "undo log"};
  for (int i = 0; i < 2; ++i) {
    std::filesystem::remove(path_ + ".aside");
    scribble(path_, places[i], std::string(8, '\x7f'));
    auto writer = Writer::open(options());
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE(writer.value()->report().created);
    EXPECT_NE(writer.value()->report().set_aside_reason.find(reasons[i]), std::string::npos)
        << writer.value()->report().set_aside_reason;
  }
}

TEST(Names, OfErrorsKindsAndCauses) {
  const Errc all[] = {Errc::not_found,         Errc::not_ready, Errc::wrong_version, Errc::corrupt,
                      Errc::not_memory_backed, Errc::untrusted, Errc::no_space,      Errc::busy,
                      Errc::invalid,           Errc::io};
  std::string names;
  for (const Errc code : all) names += std::string(errc_name(code)) + " ";
  EXPECT_EQ(
      names,
      "not_found not_ready wrong_version corrupt not_memory_backed untrusted no_space busy invalid io ");
  EXPECT_STREQ(errc_name(static_cast<Errc>(99)), "unknown");
  EXPECT_EQ(kind_name(Kind::log), "log");
  EXPECT_EQ(kind_name(Kind::status), "status");
  EXPECT_EQ(kind_name(Kind::none), "none");
  EXPECT_EQ(kind_name(static_cast<Kind>(9)), "none") << "as a damaged segment may say";
}

}  // namespace
}  // namespace mayfly::shm::test
