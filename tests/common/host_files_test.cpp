// Finding what is up on a host; the control groups' memory limit.
#include "common/host_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/memory_limit.h"
#include "common/runtime_dir.h"

namespace mayfly {
namespace {

class HostFiles : public testing::Test {
 protected:
  HostFiles() {
    char name[] = "/dev/shm/mayfly-test-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~HostFiles() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  std::string path(const std::string& name) const { return root_ + "/" + name; }
  void make_parts() const {
    ASSERT_TRUE(prepare_runtime_dir(path("ingest")).ok());
    ASSERT_TRUE(prepare_runtime_dir(path("relay")).ok());
  }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name)) << text;
  }
  std::string root_;
};

TEST_F(HostFiles, APartForEachDaemon) {
  EXPECT_FALSE(has_parts(root_));
  EXPECT_EQ(find_data_segment(root_), path("segments/data"));
  make_parts();
  EXPECT_TRUE(has_parts(root_));
  EXPECT_EQ(find_data_segment(root_), path("ingest/segments/data"));
}

TEST_F(HostFiles, PartsAreBelievedAsToTheirOwnDaemon) {
  EXPECT_EQ(find_runtime_info(root_).error().code, shm::Errc::not_found);
  make_parts();
  EXPECT_EQ(find_runtime_info(root_).error().code, shm::Errc::not_found);
  ASSERT_TRUE(
      write_runtime_info(path("ingest"), {{"ingest", "127.0.0.1:1"}, {"pids", {{"ingestd", 7}}}}).ok());
  ASSERT_TRUE(write_runtime_info(path("relay"), {{"ingest", "127.0.0.1:666"},
                                                 {"relay", "http://127.0.0.1:2"},
                                                 {"pids", {{"ingestd", 666}, {"relayd", 8}}}})
                  .ok());
  const auto info = find_runtime_info(root_);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info.value()["ingest"], "127.0.0.1:1");
  EXPECT_EQ(info.value()["relay"], "http://127.0.0.1:2");
  EXPECT_EQ(info.value()["pids"], nlohmann::ordered_json({{"ingestd", 7}, {"relayd", 8}}));
  ASSERT_EQ(::chmod(path("relay/mayfly.json").c_str(), 0666), 0);
  EXPECT_EQ(find_runtime_info(root_).error().code, shm::Errc::untrusted);
}

TEST_F(HostFiles, TheSystemsIsFoundWhereTheUserHasNone) {
  const std::string own = "/dev/shm/mayfly-" + std::to_string(::geteuid());
  ::unsetenv("RUNTIME_DIRECTORY");
  struct stat st {};
  const bool have_own = ::lstat(own.c_str(), &st) == 0 && st.st_uid == ::geteuid();
  EXPECT_EQ(find_runtime_dir("", root_), have_own ? own : root_);
  EXPECT_EQ(find_runtime_dir("", path("absent")), own);
  EXPECT_EQ(find_runtime_dir("/flag", root_), "/flag");
}

TEST_F(HostFiles, TheLowestMemoryLimitCounts) {
  const std::string groups = path("groups");
  EXPECT_FALSE(memory_limit(groups, root_));
  write("groups", "0::/a/b.service\n");
  EXPECT_FALSE(memory_limit(groups, root_)) << "no limit is there";
  write("a/memory.max", "1000\n");
  write("a/b.service/memory.max", "max\n");
  EXPECT_EQ(memory_limit(groups, root_), 1000u);
  write("a/b.service/memory.max", "900\n");
  EXPECT_EQ(memory_limit(groups, root_), 900u);
  write("groups", "9:cpu,memory:/outside/of/the/container\n0::/\n");
  write("memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_FALSE(memory_limit(groups, root_)) << "v1's word for no limit";
  write("memory/memory.limit_in_bytes", "64\n");
  EXPECT_EQ(memory_limit(groups, root_), 64u);
}

}  // namespace
}  // namespace mayfly
