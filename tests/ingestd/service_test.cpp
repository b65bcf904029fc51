// GO and STOP, and the relay's list: applied without a restart, kept over restarts of anything.
#include <algorithm>
#include <filesystem>

#include "tests/ingestd/ingest_fixture.h"

namespace mayfly::ingestd {
namespace {

using shm::EvictCause;
using shm::Kind;
using Strings = std::vector<std::string>;

class ServiceTest : public IngestTest {
 protected:
  std::uint64_t evicted(Kind kind, const std::string& name, EvictCause cause) const {
    const auto found = directory(kind, name);
    return found ? found->evicted[static_cast<std::size_t>(cause)] : 0;
  }
};

TEST_F(ServiceTest, NoQuotas_StopsUntilTheyCome) {
  start_server();
  Client client = native();
  EXPECT_EQ(client.line().substr(0, 15), "-STOP no-quotas");
  client.send("LOG demo k lost\n");
  EXPECT_EQ(dropped_counts(client)["stopped"], 1u);
  EXPECT_EQ(client.ask("PING\n"), "+PONG\r\n");
  open_control();  // a list that was never published changes nothing
  publish({exact(Kind::log, "demo")});
  EXPECT_EQ(client.line(), "+GO");
  EXPECT_EQ(client.ask("LOG demo k kept\nPING\n"), "+PONG\r\n");
  EXPECT_EQ(records(Kind::log, "demo"), Strings{"k=kept"});
  EXPECT_EQ(unattributed(shm::DropCause::stopped), 1u);
}

TEST_F(ServiceTest, Paused_StopsAndGoes) {
  start_server();
  publish({exact(Kind::log, "demo")});
  Client client = greeted();
  publish({exact(Kind::log, "demo")}, /*paused=*/true);
  EXPECT_EQ(client.line().substr(0, 12), "-STOP paused");
  EXPECT_EQ(native().line().substr(0, 12), "-STOP paused");
  publish({exact(Kind::log, "demo")});
  EXPECT_EQ(client.line(), "+GO");
}

TEST_F(ServiceTest, ListedDirectory_IsThereBeforeItsFirstRecord) {
  start_server();
  publish({exact(Kind::log, "demo"), pattern(Kind::log, "app-*")});
  EXPECT_TRUE(directory(Kind::log, "demo"));
  EXPECT_FALSE(directory(Kind::log, "app-1"));
}

TEST_F(ServiceTest, LoweredQuota_EvictsAtOnceAndRaisedRevivesNothing) {
  start_server();
  publish({exact(Kind::log, "demo")});
  Client client = greeted();
  for (int i = 0; i < 10; ++i) client.send("LOG demo k " + std::to_string(i) + "\n");
  client.ask("PING\n");
  shm::Quotas few;
  few.max_events_per_key = 3;
  publish({exact(Kind::log, "demo", few)});
  EXPECT_EQ(records(Kind::log, "demo"), (Strings{"k=7", "k=8", "k=9"}));
  EXPECT_EQ(evicted(Kind::log, "demo", EvictCause::quota_lowered), 7u);
  publish({exact(Kind::log, "demo")});
  EXPECT_EQ(records(Kind::log, "demo").size(), 3u);
}

TEST_F(ServiceTest, RemovedDirectory_LosesItsData) {
  start_server();
  publish({exact(Kind::log, "demo"), exact(Kind::log, "other")});
  Client client = greeted();
  client.ask("LOG demo k v\nLOG other k v\nPING\n");
  publish({exact(Kind::log, "other")});
  EXPECT_FALSE(directory(Kind::log, "demo"));
  client.send("LOG demo k v\n");
  EXPECT_EQ(dropped_counts(client)["unknown_directory"], 1u);
  publish({exact(Kind::log, "demo"), exact(Kind::log, "other")});
  EXPECT_EQ(records(Kind::log, "demo"), Strings{});
  EXPECT_EQ(records(Kind::log, "other"), Strings{"k=v"});
  EXPECT_EQ(info().removed_evicted[static_cast<std::size_t>(EvictCause::directory_removed)], 1u);
}

TEST_F(ServiceTest, RemovedAndAddedWhileDown_LosesItsData) {
  start_server();
  publish({exact(Kind::log, "demo"), exact(Kind::log, "other"), pattern(Kind::log, "app-*")});
  greeted().ask("LOG demo k v\nLOG other k v\nLOG app-1 k v\nPING\n");
  stop_server();
  publish_only({exact(Kind::log, "other"), pattern(Kind::log, "app-*")});
  publish_only({exact(Kind::log, "demo"), exact(Kind::log, "other"), pattern(Kind::log, "app-*")});
  start_server();
  ASSERT_TRUE(eventually([&] { return info().applied_version == "v3"; }));
  EXPECT_EQ(records(Kind::log, "demo"), Strings{});
  EXPECT_EQ(records(Kind::log, "other"), Strings{"k=v"});
  EXPECT_EQ(records(Kind::log, "app-1"), Strings{"k=v"});
}

TEST_F(ServiceTest, Restart_KeepsDataAndServesAtOnce) {
  start_server();
  publish({exact(Kind::log, "demo")});
  greeted().ask("LOG demo k v\nPING\n");
  stop_server();
  EXPECT_FALSE(info().serving);
  Client waiting = native();  // connections wait while nobody accepts
  waiting.send("LOG demo k while away\nPING\n");
  start_server();
  EXPECT_EQ(waiting.line(), "+GO");
  EXPECT_EQ(waiting.line(), "+PONG");
  EXPECT_EQ(records(Kind::log, "demo"), (Strings{"k=v", "k=while away"}));
}

TEST_F(ServiceTest, NewControlSegment_RemovesNothingByItself) {
  start_server();
  publish({exact(Kind::log, "demo")});
  Client client = greeted();
  client.ask("LOG demo k v\nPING\n");
  control_.reset();
  std::filesystem::remove(dir_.path() + "/control");
  open_control();
  EXPECT_EQ(client.ask("LOG demo k w\nPING\n"), "+PONG\r\n");
  publish({exact(Kind::log, "demo")});
  EXPECT_EQ(records(Kind::log, "demo"), (Strings{"k=v", "k=w"}));
  publish({});
  EXPECT_FALSE(directory(Kind::log, "demo"));
}

TEST_F(ServiceTest, PatternDirectory_ClosesWhenEmptyForItsAge) {
  shm::Quotas brief;
  brief.max_age_seconds = 0;
  start_server();
  publish({pattern(Kind::log, "app-*", 1, brief), pattern(Kind::status, "st-*", 1)});
  Client client = greeted();
  client.send("LOG app-1 k v\nSTATUS st-1 k v\nSTATUS st-2 k v\n");
  EXPECT_EQ(dropped_counts(client)["too_many_directories"], 1u);
  EXPECT_TRUE(eventually([&] { return !directory(Kind::log, "app-1"); }));
  client.send("LOG app-2 k v\n");
  EXPECT_EQ(dropped_counts(client)["too_many_directories"], 1u);
  EXPECT_TRUE(directory(Kind::status, "st-1"));
}

TEST_F(ServiceTest, ExactNameWinsElseFirstPattern) {
  shm::Quotas tiny;
  tiny.max_value_bytes = 1;
  shm::Quotas small;
  small.max_value_bytes = 2;
  start_server();
  publish({pattern(Kind::log, "a*", 4, tiny), pattern(Kind::log, "*", 4, small), exact(Kind::log, "ab")});
  Client client = greeted();
  EXPECT_EQ(client.ask("LOG ab k long enough\nLOG ac k 12\nLOG b k 12\nLOG b k 123\nPING\n"), "+PONG\r\n");
  EXPECT_EQ(records(Kind::log, "ab").size(), 1u);
  EXPECT_EQ(records(Kind::log, "ac").size(), 0u);
  EXPECT_EQ(records(Kind::log, "b"), Strings{"k=12"});
}

TEST_F(ServiceTest, Shutdown_SaysSoAndStoresWhatHasArrived) {
  start_server();
  publish({exact(Kind::log, "demo")});
  Client idle = greeted();
  Client client = greeted();
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "LOG demo k " + std::to_string(i) + "\n";
  client.send(text);
  stop_server();
  EXPECT_EQ(idle.rest().substr(0, 14), "-STOP shutdown");
  EXPECT_EQ(records(Kind::log, "demo").size(), 1000u);
}

TEST_F(ServiceTest, Memory_StopsWhenNotOnePageIsLeft) {
  Setup setup;
  setup.bytes = 2 << 20;
  setup.page_bytes = 1024;
  start_server(setup);
  shm::Quotas hog;
  hog.max_total_bytes = hog.max_bytes_per_key = 64 << 20;
  hog.max_events_per_key = 1 << 20;
  hog.reserve_bytes = 64 << 20;  // all there is: nobody else may take any of it
  publish({exact(Kind::log, "hog", hog), pattern(Kind::log, "app-*")});
  Client client = greeted();
  const std::string line = "LOG hog k " + std::string(900, 'x') + "\n";
  std::string text;
  for (int i = 0; i < 4000; ++i) text += line;
  client.send(text + "LOG app-1 k v\nPING\n");
  // The two come in either order: one from the batch, one from the main thread's look at it.
  Strings heard = {client.line().substr(0, 12), client.line().substr(0, 12)};
  std::sort(heard.begin(), heard.end());
  EXPECT_EQ(heard, (Strings{"+PONG", "-STOP memory"}));
  EXPECT_GE(dropped_counts(client)["no_memory"], 1u);
  EXPECT_EQ(dropped_counts(client)["stopped"], 0u);
  EXPECT_TRUE(info().serving);
  publish({exact(Kind::log, "hog"), pattern(Kind::log, "app-*")});
  EXPECT_EQ(client.line(), "+GO");
  EXPECT_EQ(client.ask("LOG app-1 k v\nPING\n"), "+PONG\r\n");
  EXPECT_EQ(records(Kind::log, "app-1"), Strings{"k=v"});
}

TEST_F(ServiceTest, QuotaChanges_UnderLoad) {
  Setup setup;
  setup.workers = 2;
  start_server(setup);
  const auto rules = [](std::uint64_t events) {
    shm::Quotas quotas;
    quotas.max_events_per_key = events;
    return std::vector<shm::Rule>{exact(Kind::log, "a", quotas), exact(Kind::log, "b", quotas),
                                  pattern(Kind::log, "p*", 8, quotas)};
  };
  publish(rules(10));
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  std::atomic<std::uint64_t> sent{0};
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      Client client = greeted();
      for (int i = 0; !stop.load(); ++i) {
        const std::string number = std::to_string(w) + "-" + std::to_string(i);
        if (client.ask("LOG a k " + number + "\nLOG b k " + number + "\nLOG p" + std::to_string(i % 4) +
                       " k " + number + "\nPING\n") != "+PONG\r\n") {
          ADD_FAILURE() << "no PONG";
          return;
        }
        sent += 3;
      }
    });
  }
  for (int round = 0; round < 60; ++round) {
    auto wanted = rules(round % 2 == 0 ? 3 : 100);
    if (round % 3 == 0) wanted.erase(wanted.begin());  // "a" goes and comes
    if (round % 5 == 0) wanted.pop_back();
    publish(wanted);
  }
  publish(rules(10));
  stop = true;
  for (std::thread& writer : writers) writer.join();
  const shm::SegmentInfo segment = info();
  std::uint64_t accounted = segment.removed_stored;
  for (const shm::DirectoryInfo& found : reader().directories()) {
    std::uint64_t gone = 0;
    for (const std::uint64_t count : found.evicted) gone += count;
    EXPECT_EQ(found.stored, found.records + found.replaced + gone) << found.name;
    EXPECT_LE(found.records, 10u * found.keys);
    accounted += found.stored;
    for (const std::uint64_t count : found.dropped) accounted += count;
  }
  for (const std::uint64_t count : segment.unattributed) accounted += count;
  for (const std::uint64_t count : segment.removed_dropped) accounted += count;
  EXPECT_EQ(accounted, sent.load());
}

}  // namespace
}  // namespace mayfly::ingestd
