// `mayfly tail`, `get`, `ls`, `inspect` on real segments, without any daemon.
#include "cli/local_tail.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.h"
#include "shm/clock.h"
#include "shm/writer.h"

namespace mayfly::cli {
namespace {

using shm::Kind;

// What `work` prints on standard output.
template <class Work>
std::string captured(const Work& work) {
  testing::internal::CaptureStdout();
  work();
  std::fflush(stdout);
  return testing::internal::GetCapturedStdout();
}

class Segment : public testing::Test {
 protected:
  Segment() {
    char name[] = "/dev/shm/mayfly-test-XXXXXX";
    directory_ = ::mkdtemp(name);
    shm::WriterOptions options;
    options.path = path();
    options.bytes = 8 << 20;
    writer_ = std::move(shm::Writer::open(options).value());
    worker_.emplace(writer_->worker(0));
  }
  ~Segment() override {
    writer_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string path() const { return directory_ + "/data"; }

  void open(Kind kind, const std::string& name, const shm::Quotas& quotas = {}) {
    shm::DirectorySpec spec;
    spec.kind = kind;
    spec.name = name;
    spec.quotas = quotas;
    ids_[name] = writer_->open_directory(*worker_, spec, now_).value();
  }

  void write(const std::string& directory, std::string_view key, std::string_view value) {
    now_.wall_ns += 1'000'000'000;
    ASSERT_TRUE(worker_->begin(ids_.at(directory), now_));
    EXPECT_TRUE(worker_->append(key, value).stored);
    worker_->commit();
  }

  int exit_code_ = -1;
  std::string mayfly(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--segment", path()});
    return captured([&] { exit_code_ = run(arguments); });
  }

  std::string directory_;
  std::unique_ptr<shm::Writer> writer_;
  std::optional<shm::Worker> worker_;
  std::map<std::string, shm::DirectoryId> ids_;
  shm::Now now_{shm::system_clocks().wall_ns() - 3600ull * 1'000'000'000, shm::system_clocks().boot_ns()};
};

TEST_F(Segment, TailShowsTheNewestThatMatch) {
  open(Kind::log, "demo");
  for (int i = 0; i < 20; ++i) write("demo", i % 2 == 0 ? "even" : "odd", "line " + std::to_string(i));
  auto text = mayfly({"tail", "demo"});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_NE(text.find(" odd line 19\n"), std::string::npos);
  EXPECT_EQ(text.find("line 9\n"), std::string::npos);
  text = mayfly({"tail", "demo", "even", "-n", "2"});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_NE(text.find("line 16"), std::string::npos);
  text = mayfly({"tail", "demo", "--grep", "1[0-4]$", "-n", "3"});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_NE(text.find("line 12"), std::string::npos);
  EXPECT_EQ(mayfly({"tail", "demo", "-n", "0"}), "");
  EXPECT_EQ(exit_code_, kOk);
}

TEST_F(Segment, TailSinceShowsAllFromThen) {
  open(Kind::log, "demo");
  for (int i = 0; i < 20; ++i) write("demo", "k", "line " + std::to_string(i));
  const auto all = mayfly({"tail", "demo", "--since", "2h"});
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 20);
  EXPECT_EQ(mayfly({"tail", "demo", "--since", "1s"}), "");
  EXPECT_EQ(exit_code_, kOk);
  mayfly({"tail", "demo", "--since", "whenever"});
  EXPECT_EQ(exit_code_, kUsage);
  mayfly({"tail", "demo", "--grep", "("});
  EXPECT_EQ(exit_code_, kUsage);
}

TEST_F(Segment, JsonHasTheObjectsOfTheReadApi) {
  open(Kind::log, "demo");
  write("demo", "k", std::string_view("a\xff", 2));
  const auto record = nlohmann::json::parse(mayfly({"tail", "demo", "--json"}));
  EXPECT_EQ(record["seq"], 1);
  EXPECT_EQ(record["key"], "k");
  EXPECT_EQ(record["line"], "a\\xff");
  EXPECT_EQ(record["line_b64"], "Yf8=");
}

TEST_F(Segment, GetShowsValuesAndRawBytes) {
  open(Kind::status, "web");
  write("web", "b", std::string_view("\0\n\xff", 3));
  write("web", "a", "1");
  EXPECT_EQ(mayfly({"get", "web", "b"}), std::string("\0\n\xff", 3));
  EXPECT_EQ(exit_code_, kOk);
  EXPECT_EQ(mayfly({"get", "web"}), std::string("a\t1\nb\t\0\n\xff\n", 10));
  EXPECT_EQ(mayfly({"get", "web", "absent"}), "");
  EXPECT_EQ(exit_code_, kFailed);
  mayfly({"get", "nowhere"});
  EXPECT_EQ(exit_code_, kFailed);
  mayfly({"tail", "web"});
  EXPECT_EQ(exit_code_, kFailed);
}

TEST_F(Segment, LsListsDirectoriesByKind) {
  open(Kind::log, "demo");
  open(Kind::status, "web");
  write("web", "a", "1");
  const auto all = mayfly({"ls"});
  EXPECT_NE(all.find("log     demo"), std::string::npos) << all;
  const auto line = mayfly({"ls", "status", "--json"});
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["name"], "web");
  EXPECT_EQ(object["records"], 1);
}

TEST_F(Segment, InspectTellsOfTheFileItsRecordsAndItsHealth) {
  open(Kind::log, "demo");
  open(Kind::status, "web");
  write("demo", "k", "line");
  write("web", "a", "1");
  const auto text = mayfly({"inspect", path(), "--verify", "--records"});
  EXPECT_EQ(exit_code_, kOk) << text;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  const auto head = nlohmann::json::parse(line);
  EXPECT_EQ(head["segment"], "data");
  EXPECT_EQ(head["path"], path());
  EXPECT_EQ(head["bytes"], 8 << 20);
  EXPECT_EQ(head["epoch"], 1);
  EXPECT_TRUE(head["verify"]["ok"].get<bool>());
  EXPECT_EQ(head["verify"]["errors"].size(), 0u);
  EXPECT_EQ(head["directories"].size(), 2u);
  std::getline(lines, line);
  EXPECT_EQ(nlohmann::json::parse(line)["line"], "line");
  std::getline(lines, line);
  EXPECT_EQ(nlohmann::json::parse(line)["value"], "1");
}

TEST_F(Segment, InspectWorksOnACopyAndRefusesNonsense) {
  open(Kind::log, "demo");
  write("demo", "k", "line");
  std::filesystem::copy_file(path(), directory_ + "/copy");
  EXPECT_NE(captured([&] { exit_code_ = run({"inspect", directory_ + "/copy", "--verify"}); }), "");
  EXPECT_EQ(exit_code_, kOk);
  std::filesystem::resize_file(directory_ + "/copy", 5000);
  captured([&] { exit_code_ = run({"inspect", directory_ + "/copy", "--verify"}); });
  EXPECT_EQ(exit_code_, kFailed);
  captured([&] { exit_code_ = run({"inspect", directory_ + "/absent"}); });
  EXPECT_EQ(exit_code_, kFailed);
}

}  // namespace
}  // namespace mayfly::cli
