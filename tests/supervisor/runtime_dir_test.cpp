#include "common/runtime_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/supervisor/scratch.h"

namespace mayfly {
namespace {

using shm::Errc;
using supervisor::Scratch;

unsigned mode_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_mode & 0777 : 0;
}

TEST(RuntimeDir, IsChosenByFlagThenEnvironmentThenUser) {
  ::unsetenv("RUNTIME_DIRECTORY");
  EXPECT_EQ(choose_runtime_dir(""), "/dev/shm/mayfly-" + std::to_string(::geteuid()));
  ::setenv("RUNTIME_DIRECTORY", "/run/one:/run/two", 1);
  EXPECT_EQ(choose_runtime_dir(""), "/run/one");
  EXPECT_EQ(choose_runtime_dir("/run/flag//"), "/run/flag");
  EXPECT_EQ(choose_runtime_dir("here").front(), '/');
  ::unsetenv("RUNTIME_DIRECTORY");
}

TEST(RuntimeDir, IsMadeWithItsModesWhateverTheUmask) {
  const Scratch scratch;
  const mode_t before = ::umask(077);
  const auto made = prepare_runtime_dir(scratch.path("new"));
  ::umask(before);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(mode_of(scratch.path("new")), 0755u);
  EXPECT_EQ(mode_of(scratch.path("new/segments")), 0750u);
  EXPECT_TRUE(prepare_runtime_dir(scratch.path("new")).ok());
}

TEST(RuntimeDir, RefusesSymlinksFilesAndOpenDirectories) {
  const Scratch scratch;
  std::filesystem::create_symlink(scratch.root(), scratch.path("link"));
  EXPECT_EQ(prepare_runtime_dir(scratch.path("link")).error().code, Errc::untrusted);
  scratch.write("file", "");
  EXPECT_EQ(prepare_runtime_dir(scratch.path("file")).error().code, Errc::untrusted);
  std::filesystem::create_directory(scratch.path("open"));
  ASSERT_EQ(::chmod(scratch.path("open").c_str(), 0777), 0);
  EXPECT_EQ(prepare_runtime_dir(scratch.path("open")).error().code, Errc::untrusted);
  EXPECT_EQ(check_runtime_dir(scratch.path("absent")).error().code, Errc::not_found);
}

TEST(RuntimeDir, RefusesASegmentsDirectoryThatIsASymlink) {
  const Scratch scratch;
  std::filesystem::create_symlink("/tmp", scratch.path("segments"));
  EXPECT_EQ(prepare_runtime_dir(scratch.root()).error().code, Errc::untrusted);
}

TEST(RuntimeDir, RefusesWhatIsNotMemory) {
  EXPECT_EQ(check_runtime_dir("/proc/self/fd").error().code, Errc::not_memory_backed);
  const auto backing = backing_of("/dev/shm");
  ASSERT_TRUE(backing.ok());
  EXPECT_EQ(backing.value().filesystem, "tmpfs");
  EXPECT_TRUE(backing.value().memory_backed);
}

TEST(RuntimeInfo, IsReplacedWholeAndReadBack) {
  const Scratch scratch;
  EXPECT_EQ(read_runtime_info(scratch.root()).error().code, Errc::not_found);
  ASSERT_TRUE(write_runtime_info(scratch.root(), {{"a", 1}}).ok());
  ASSERT_TRUE(write_runtime_info(scratch.root(), {{"b", 18446744073709551615ull}}).ok());
  EXPECT_EQ(mode_of(scratch.path("mayfly.json")), 0644u);
  const auto info = read_runtime_info(scratch.root());
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info.value().dump(), R"({"b":18446744073709551615})");
}

TEST(RuntimeInfo, IsNotBelievedWhereItCouldBeForged) {
  const Scratch scratch;
  scratch.write("mayfly.json", "[]");
  EXPECT_EQ(read_runtime_info(scratch.root()).error().code, Errc::corrupt);
  ASSERT_EQ(::chmod(scratch.path("mayfly.json").c_str(), 0666), 0);
  EXPECT_EQ(read_runtime_info(scratch.root()).error().code, Errc::untrusted);
}

}  // namespace
}  // namespace mayfly
