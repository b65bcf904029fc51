// Records of many directories, and of many keys, in one read: grouped, fetched ahead, and yet each
// directory has its own in the order in which they were sent.
#include "tests/ingestd/ingest_fixture.h"

namespace mayfly::ingestd {
namespace {

class BatchTest : public IngestTest {};

TEST_F(BatchTest, DirectoriesInTurnsKeepTheirOrder) {
  constexpr int kDirectories = 40;
  constexpr int kRecords = 5000;
  start_server();
  publish({pattern(shm::Kind::log, "dir-*")});
  std::string bytes;
  std::map<std::string, std::vector<std::string>> sent;
  std::uint32_t random = 1;
  for (int i = 0; i < kRecords; ++i) {
    random = random * 1664525 + 1013904223;
    // Now and then a run of one directory, now and then a name that nobody has.
    const std::uint32_t which = i % 500 < 100 ? 7 : (random >> 16) % (kDirectories + 1);
    const std::string name = which == kDirectories ? "nobody" : "dir-" + std::to_string(which);
    const std::string value = std::to_string(i);
    bytes += resp({"LOG", name, "k" + std::to_string(i % 9), value});
    if (which != kDirectories) sent[name].push_back("k" + std::to_string(i % 9) + "=" + value);
  }
  Client client = greeted();
  client.send(bytes);
  EXPECT_EQ(client.ask("PING\n"), "+PONG\r\n");
  std::uint64_t stored = 0;
  for (const auto& [name, expected] : sent) {
    EXPECT_EQ(records(shm::Kind::log, name), expected) << name;
    stored += expected.size();
  }
  EXPECT_EQ(dropped_counts(client)["unknown_directory"], kRecords - stored);
}

TEST_F(BatchTest, MoreKeysThanCachesHold) {
  constexpr int kKeys = 20000;
  start_server();
  shm::Quotas quotas;
  quotas.max_keys = kKeys;
  quotas.max_total_bytes = quotas.max_bytes_per_key = 2 << 20;
  publish({exact(shm::Kind::log, "wide", quotas), exact(shm::Kind::status, "wide", quotas)});
  std::string bytes;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = "key-" + std::to_string(i);
      const std::string value = std::to_string(round) + "-" + std::to_string(i);
      bytes += resp({"LOG", "wide", key, value}) + resp({"STATUS", "wide", key, value});
    }
    // Unset in between, in the same reads.
    for (int i = 0; i < kKeys && round == 0; i += 100)
      bytes += resp({"UNSET", "wide", "key-" + std::to_string(i)});
  }
  Client client = greeted();
  client.send(bytes);
  EXPECT_EQ(client.ask("PING\n"), "+PONG\r\n");
  const auto status = directory(shm::Kind::status, "wide");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->keys, kKeys);
  EXPECT_EQ(status->stored, 2 * kKeys);
  EXPECT_EQ(status->replaced, kKeys - kKeys / 100);
  const auto found = records(shm::Kind::status, "wide");
  ASSERT_EQ(found.size(), static_cast<std::size_t>(kKeys));
  for (int i = 0; i < kKeys; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_EQ(found[static_cast<std::size_t>(i)], "key-" + number + "=1-" + number);
  }
  const auto log = directory(shm::Kind::log, "wide");
  ASSERT_TRUE(log);
  EXPECT_EQ(log->stored, 2 * kKeys);
  EXPECT_EQ(log->dropped[static_cast<std::size_t>(shm::DropCause::no_memory)], 0u);
}

}  // namespace
}  // namespace mayfly::ingestd
