// No reply on any listener ever contains stored data: every command of both, with and without
// arguments that name what is stored.
#include "tests/ingestd/ingest_fixture.h"

namespace mayfly::ingestd {
namespace {

using shm::Kind;
using Strings = std::vector<std::string>;

constexpr const char* kSecret = "zq7SECRETzq7";

class NoLeakTest : public IngestTest {
 protected:
  void SetUp() override {
    IngestTest::SetUp();
    start_server();
    publish({pattern(Kind::log, "l*"), pattern(Kind::status, "s*")});
    Client client = greeted();
    client.send("LOG logs key " + std::string(kSecret) + "\nSTATUS stat key " + kSecret + "\n");
    client.send("LOG logs " + std::string(kSecret) + " v\nSTATUS stat " + kSecret + " v\n");
    ASSERT_EQ(client.ask("PING\n"), "+PONG\r\n");
  }

  // Argument lists that reach as far into every command as its table allows.
  static std::vector<Strings> variants(const std::string& name) {
    const Strings directories = {"logs", "stat"};
    std::vector<Strings> lists = {{name}, {name, "GET", "*"}, {name, "LIST"}, {name, "INFO"}, {name, "2"}};
    for (const std::string& directory : directories) {
      lists.push_back({name, directory});
      lists.push_back({name, directory, "key"});
      lists.push_back({name, directory, "key", "new"});
      lists.push_back({name, directory, "*", "key", "new"});
      lists.push_back({name, directory, "-", "+", "COUNT", "10"});
      lists.push_back({name, "STREAMS", directory, "0"});
    }
    return lists;
  }

  static void expect_clean(const std::string& said, const std::string& name) {
    EXPECT_EQ(said.find("SECRET"), std::string::npos) << name << ": " << said;
    EXPECT_EQ(said.find("<timeout>"), std::string::npos) << name;
  }
};

TEST_F(NoLeakTest, Native_EveryCommand) {
  for (const char* name : {"STATUS", "LOG", "UNSET", "PING", "DROPPED", "QUIT", "GET", "TAIL", "NONSENSE"}) {
    for (const Strings& arguments : variants(name)) {
      Client client = native();
      client.try_send(resp(arguments) + "PING\r\nDROPPED\r\n");
      client.half_close();
      expect_clean(client.rest(), name);
    }
  }
}

TEST_F(NoLeakTest, Redis_EveryCommand) {
  Strings names = {"NONSENSE", "SORT", "LPUSH", "EVAL", "DEBUG", "SUBSCRIBE", "SYNC", "MIGRATE", "RESTORE"};
  for (const RedisSession::Command& command : RedisSession::commands()) names.emplace_back(command.name);
  for (const std::string& name : names) {
    for (const Strings& arguments : variants(name)) {
      Client client = redis();
      client.try_send(resp(arguments) + resp({"MULTI"}) + resp(arguments) + resp({"EXEC"}) + resp({"PING"}));
      client.half_close();
      expect_clean(client.rest(), name);
    }
  }
}

}  // namespace
}  // namespace mayfly::ingestd
