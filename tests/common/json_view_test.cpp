#include "common/json_view.h"

#include <gtest/gtest.h>

namespace mayfly {
namespace {

using nlohmann::ordered_json;

shm::RecordView record(std::string_view key, std::string_view value) {
  shm::RecordView view;
  view.seq = 98;
  view.time_ns = 1795255200'000000001ull;
  view.boot_ns = 5'000'000;
  view.key = key;
  view.value = value;
  return view;
}

TEST(JsonView, Records) {
  std::string out;
  append_log_record(out, record("web", "a \"b\"\n"));
  EXPECT_EQ(out, R"({"seq":98,"time":"2026-11-21T10:00:00.000000001Z","key":"web","line":"a \"b\"\n"})");
  out.clear();
  append_status_record(out, record("pid", "123"), 17'999'999);
  EXPECT_EQ(out,
            R"({"key":"pid","value":"123","seq":98,"time":"2026-11-21T10:00:00.000000001Z","age_ms":12})");
}

TEST(JsonView, AStatusIsStaleFromItsAgeOn) {
  const auto is_stale = [](std::uint64_t age_ns, std::uint64_t after_seconds) {
    std::string out;
    append_status_record(out, record("pid", "123"), 5'000'000 + age_ns, after_seconds);
    return ordered_json::parse(out).value("stale", false);
  };
  EXPECT_FALSE(is_stale(59'999'999'999, 60));
  EXPECT_TRUE(is_stale(60'000'000'000, 60));
  EXPECT_FALSE(is_stale(~0ull >> 1, 0)) << "0: never";
}

TEST(JsonView, BytesThatAreNoTextHaveATwin) {
  std::string out;
  append_log_record(out, record("k\xff", std::string_view("\0\xfe\\", 3)));
  const auto object = ordered_json::parse(out);
  EXPECT_EQ(object["key"], "k\\xff");
  EXPECT_EQ(object["key_b64"], "a/8=");
  EXPECT_EQ(object["line"], std::string("\0\\xfe\\", 6));
  EXPECT_EQ(object["line_b64"], "AP5c");
}

TEST(JsonView, TextLinesForgeNothing) {
  std::string out;
  append_text_record(out, record("a\nb", "\x1b[2J\xff"));
  EXPECT_EQ(out, "2026-11-21T10:00:00.000000001Z a\\nb \\x1b[2J\\xff");
}

TEST(JsonView, Gaps) {
  EXPECT_EQ(gap_line_json(12), R"({"gap":{"missed":12}})");
  EXPECT_EQ(gap_json(std::nullopt, "replaced"), R"({"missed":null,"reason":"replaced"})");
  EXPECT_EQ(gap_text(12), "# gap missed=12");
}

TEST(JsonView, DirectoriesAreExactToTheLastBit) {
  shm::SegmentInfo segment;
  segment.applied_version = "v7";
  segment.unattributed[static_cast<std::size_t>(shm::DropCause::bad_command)] = 4;
  shm::DirectoryInfo directory;
  directory.kind = shm::Kind::log;
  directory.name = "demo";
  directory.incarnation = 7;
  directory.quotas.max_keys = ~0ull;
  directory.first_seq = 21;
  directory.next_seq = 121;
  directory.last_time_ns = 1;
  directory.stored = ~0ull - 1;
  directory.dropped[static_cast<std::size_t>(shm::DropCause::value_too_long)] = 1;
  directory.evicted[static_cast<std::size_t>(shm::EvictCause::events_per_key)] = 20;
  const std::string text = directories_json(segment, {directory}).dump();
  EXPECT_NE(text.find("\"max_keys\":18446744073709551615"), std::string::npos) << text;
  const auto object = ordered_json::parse(text)["directories"][0];
  EXPECT_EQ(object["kind"], "log");
  EXPECT_EQ(object["quota_version"], "v7");
  EXPECT_EQ(object["first_seq"], 21);
  EXPECT_EQ(object["last_seq"], 120);
  EXPECT_EQ(object["last_write"], "1970-01-01T00:00:00.000000001Z");
  EXPECT_EQ(object["stored"].get<std::uint64_t>(), ~0ull - 1);
  EXPECT_EQ(object["dropped"].dump(), R"({"value_too_long":1})");
  EXPECT_EQ(object["evicted"].dump(), R"({"events_per_key":20})");
  EXPECT_EQ(object["quotas"]["max_events_per_key"], 2048);
  const auto unknown = ordered_json::parse(text)["unknown"]["dropped"];
  EXPECT_EQ(unknown["unknown_directory"], 0);
  EXPECT_EQ(unknown["bad_command"], 4);
  EXPECT_EQ(unknown["stopped"], 0);
}

TEST(JsonView, AnEmptyDirectoryHasNoSequence) {
  shm::DirectoryInfo directory;
  directory.kind = shm::Kind::status;
  const auto object = directory_json(directory, "");
  EXPECT_TRUE(object["first_seq"].is_null());
  EXPECT_TRUE(object["last_seq"].is_null());
  EXPECT_TRUE(object["last_write"].is_null());
  EXPECT_FALSE(object["quotas"].contains("max_events_per_key"));
}

TEST(JsonView, AgesOfAnotherBootEndWithItsLastHeartbeat) {
  shm::SegmentInfo segment;
  EXPECT_EQ(age_reference_ns(segment, 50), 50u);
  segment.same_boot = false;
  segment.workers = {{0, 7, 0}, {0, 9, 0}};
  EXPECT_EQ(age_reference_ns(segment, 50), 9u);
}

}  // namespace
}  // namespace mayfly
