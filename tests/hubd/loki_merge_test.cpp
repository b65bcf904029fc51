// What hosts say is a stranger's word, and their answers become one.
#include <gmock/gmock.h>

#include "hubd/loki_listings.h"
#include "hubd/loki_sums.h"
#include "hubd/turns.h"

namespace mayfly::hubd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LokiHostPart part_of(const std::string& server, const std::string& data, Scope scope = {true, {}}) {
  return {server, std::move(scope), true, 0, 200, R"({"status":"success","data":)" + data + "}", {}};
}

std::string streams_data(const std::string& result) {
  return R"({"resultType":"streams","result":[)" + result + "]}";
}

TEST(LokiMergeTest, TheLabelServerIsTheHubs) {
  const auto read = read_host_streams(part_of(
      "web-1", streams_data(R"({"stream":{"directory":"a","server":"web-2"},"values":[["5","line"]]})")));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->streams.size(), 1u);
  EXPECT_EQ(read->streams[0].labels, (logql::Labels{{"directory", "a"}, {"server", "web-1"}}));
  LokiHostPart dropped = part_of("web-1", streams_data(R"({"stream":{"server":"web-2"},"values":[]})"));
  dropped.keeps_label = false;
  EXPECT_TRUE(read_host_streams(dropped)->streams[0].labels.empty());
}

TEST(LokiMergeTest, DirectoriesOutsideTheScopeAreLeftOut) {
  const Scope scope{false, {"app-"}};
  const std::string two = R"({"stream":{"directory":"app-1"},"values":[["5","seen"]]},)"
                          R"({"stream":{"directory":"secret"},"values":[["6","hidden"]]})";
  const auto streams = read_host_streams(part_of("web-1", streams_data(two), scope));
  ASSERT_TRUE(streams);
  ASSERT_EQ(streams->streams.size(), 1u);
  EXPECT_EQ(streams->streams[0].entries[0].line, "seen");
  const auto series =
      read_host_series(part_of("web-1", R"([{"directory":"secret"},{"directory":"app-2"}])", scope));
  EXPECT_EQ(series->size(), 1u);
  const std::string names = merge_listing({loki::Endpoint::label_values, "directory"},
                                          {part_of("web-1", R"(["secret","app-3"])", scope)}, {});
  EXPECT_THAT(names, HasSubstr(R"("data":["app-3"])"));
}

TEST(LokiMergeTest, MalformedAnswersAreNone) {
  const std::vector<std::string> bodies = {
      "",
      "null",
      "{",
      "[]",
      R"({"status":"error","data":[]})",
      R"({"status":"success"})",
      R"({"status":"success","data":{"resultType":"matrix","result":[]}})",
      R"({"status":"success","data":{"resultType":"streams","result":{}}})",
      R"({"status":"success","data":{"resultType":"streams","result":[{"stream":{}}]}})",
      R"({"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[[5,"x"]]}]}})",
      R"({"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[["x","x"]]}]}})",
      R"({"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[["99999999999999999999","x"]]}]}})",
      std::string(100'000, '['),
  };
  for (const auto& body : bodies) {
    LokiHostPart part{"web-1", {true, {}}, true, 0, 200, body, {}};
    EXPECT_FALSE(read_host_streams(part)) << body.substr(0, 100);
    EXPECT_FALSE(read_host_vector(part)) << body.substr(0, 100);
    std::vector<loki::Stream> streams;
    std::vector<loki::DroppedEntries> dropped;
    EXPECT_FALSE(read_host_frame(part, body, streams, dropped)) << body.substr(0, 100);
    LokiIndexSums sums;
    EXPECT_FALSE(add_host_stats(part, sums)) << body.substr(0, 100);
    EXPECT_THAT(merge_listing({loki::Endpoint::labels, ""}, {part}, {}), Not(HasSubstr("\"x\"")));
  }
}

TEST(LokiMergeTest, MatricesFitTheGrid) {
  const logql::Grid grid{1'000'000'000, 500'000'000, 4};
  const auto matrix_of = [&](const std::string& values) {
    return read_host_matrix(
        part_of("web-1",
                R"({"resultType":"matrix","result":[{"metric":{"key":"a"},"values":[)" + values + "]}]}"),
        grid);
  };
  const auto matrix = matrix_of(R"([1,"1"],[1.5,"2.5"],[2.5,"+Inf"])");
  ASSERT_TRUE(matrix);
  EXPECT_EQ((*matrix)[0].labels, (logql::Labels{{"key", "a"}, {"server", "web-1"}}));
  EXPECT_EQ((*matrix)[0].values[0], 1);
  EXPECT_EQ((*matrix)[0].values[1], 2.5);
  EXPECT_FALSE((*matrix)[0].values[2]);
  EXPECT_TRUE((*matrix)[0].values[3]);
  for (const char* values : {R"([3,"1"])", R"([0,"1"])", R"([-1,"1"])", R"([1e300,"1"])", R"(["1","1"])",
                             R"([1,1])", R"([1,"x"])", R"([1])", "1", R"([1,"1",2])"}) {
    EXPECT_FALSE(matrix_of(values)) << values;
  }
}

LokiHostStreams host_of(const std::string& server, const std::vector<std::uint64_t>& times,
                        bool cut = false) {
  LokiHostStreams host;
  host.cut = cut;
  host.streams.push_back({{{"server", server}}, {}});
  for (const std::uint64_t time : times)
    host.streams[0].entries.push_back({time, server + std::to_string(time)});
  return host;
}

std::vector<std::string> lines_of(const MergedStreams& merged) {
  std::vector<std::string> lines;
  for (const auto& stream : merged.streams) {
    for (const auto& entry : stream.entries) lines.push_back(entry.line);
  }
  return lines;
}

TEST(LokiMergeTest, MergesByTimeUpToTheLimit) {
  const auto merge = [](std::uint64_t limit, bool forward, std::uint64_t interval = 0) {
    return lines_of(
        merge_streams({host_of("a", {1, 3, 5}), host_of("b", {2, 3, 6})}, limit, forward, interval));
  };
  EXPECT_THAT(merge(100, true), ElementsAre("a1", "a3", "a5", "b2", "b3", "b6"));
  EXPECT_THAT(merge(2, true), ElementsAre("a1", "b2"));
  EXPECT_THAT(merge(3, true), ElementsAre("a1", "a3", "b2", "b3"));  // those of one time together
  EXPECT_THAT(merge(2, false), ElementsAre("a5", "b6"));
  EXPECT_THAT(merge(3, false), ElementsAre("a5", "a3", "b6", "b3"));
  EXPECT_THAT(merge(100, true, 2), ElementsAre("a1", "a3", "a5"));
  EXPECT_THAT(merge(2, true, 2), ElementsAre("a1", "a3"));
}

TEST(LokiMergeTest, NothingBeyondAHostThatHadToStop) {
  EXPECT_THAT(lines_of(merge_streams({host_of("a", {1, 3}, true), host_of("b", {2, 3, 6})}, 100, true, 0)),
              ElementsAre("a1", "a3", "b2", "b3"));
  EXPECT_THAT(lines_of(merge_streams({host_of("a", {5, 4}, true), host_of("b", {6, 3, 2})}, 100, false, 0)),
              ElementsAre("a5", "a4", "b6"));
}

TEST(LokiMergeTest, VolumesAddUp) {
  loki::VolumeQuestion question;
  question.labels = {"server", "key"};
  question.by_name = true;
  const auto vector_of = [](const std::string& server, const std::string& name, const std::string& value) {
    LokiHostPart part = part_of(server, R"({"resultType":"vector","result":[{"metric":{")" + name +
                                            R"(":""},"value":[1,")" + value + R"("]}]})");
    part.keeps_label = false;
    return part;
  };
  std::vector<std::string> problems;
  const auto volumes =
      sum_volumes(question, false,
                  {vector_of("a", "key", "5"), vector_of("b", "key", "7"), part_of("c", "{}")}, problems);
  ASSERT_EQ(volumes.size(), 2u);
  EXPECT_EQ(volumes[0].labels, (logql::Labels{{"key", ""}}));
  EXPECT_EQ(volumes[0].values[0], 12);
  EXPECT_EQ(volumes[1].labels, (logql::Labels{{"server", ""}}));
  EXPECT_EQ(volumes[1].values[0], 12);
  EXPECT_THAT(problems, ElementsAre("left out (malformed answer): c"));
}

TEST(TurnsTest, SomeAtOnceOthersWait) {
  std::vector<int> started;
  std::vector<Turns::Turn> running;  // outlives the turns: a turn that ends would start the next one
  Turns turns(2, 1);
  const auto start = [&](int number) {
    return [&started, &running, number](Turns::Turn turn) {
      started.push_back(number);
      running.push_back(std::move(turn));
    };
  };
  EXPECT_TRUE(turns.take(start(1)));
  EXPECT_TRUE(turns.take(start(2)));
  EXPECT_TRUE(turns.take(start(3)));
  EXPECT_FALSE(turns.take(start(4)));
  EXPECT_THAT(started, ElementsAre(1, 2));
  Turns::Turn first = std::move(running[0]);
  first.reset();
  EXPECT_THAT(started, ElementsAre(1, 2, 3));
  EXPECT_TRUE(turns.take(start(5)));
}

}  // namespace
}  // namespace mayfly::hubd
