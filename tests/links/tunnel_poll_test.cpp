// Polls: who may, what each gets, and what becomes of the requests.
#include <gmock/gmock.h>

#include "common/tripcode.h"
#include "tunnel_fixture.h"

namespace mayfly::hubd {
namespace {

using std::chrono::milliseconds;
using test::http_get;
using test::TestAnswer;
using test::TestConnection;
using testing::ElementsAre;

const std::string kListen = "/7ZSFUKGV/http_listen/";
const std::string kAlphasKey = "X-ApiKey: key of alpha\r\n";

TEST_F(TunnelTest, PollsThatAreRefused) {
  const auto expect = [&](const std::string& name, const std::string& key, int status,
                          const std::string& text) {
    const TestAnswer answer = http_get(port(), kListen + name, key);
    EXPECT_EQ(answer.status, status) << name;
    EXPECT_EQ(answer.body, text) << name;
    EXPECT_EQ(answer.headers.at("content-type"), "text/plain");
  };
  for (const char* name : {"alpha", "nobody", ""}) {
    expect(name, "", 403, "Can't run server without an API key\n");
  }
  expect("alpha", "X-ApiKey: wrong\r\n", 401, "Bad X-ApiKey\n");
  expect("alpha", "X-ApiKey:\r\n", 401, "Bad X-ApiKey\n");
  expect("alpha", "X-ApiKey: wrong\r\n" + kAlphasKey, 401, "Bad X-ApiKey\n");
  expect("beta", kAlphasKey, 401, "Bad X-ApiKey\n");
  for (const char* name : {"nobody", "ALPHA", "alpha/", "%61lpha", ""}) {
    expect(name, kAlphasKey, 401, "Bad X-ApiKey\n");
  }
  EXPECT_EQ(metrics().links.polls_refused, 12u);
  EXPECT_EQ(metrics().links.parked, 0u);
}

TEST_F(TunnelTest, PollsByOtherMethods) {
  const auto send = [&](const std::string& method, const std::string& more) {
    TestConnection connection(port());
    connection.send(method + " " + kListen + "alpha HTTP/1.1\r\nHost: localhost\r\n" + kAlphasKey + more +
                    "\r\n");
    return connection.read_answer(method == "HEAD");
  };
  EXPECT_EQ(send("POST", "Content-Length: 0\r\n").body, "Can't POST this\n");
  EXPECT_EQ(send("HEAD", "").status, 400);
}

TEST_F(TunnelTest, OtherPathsOfTheTunnel) {
  EXPECT_EQ(http_get(port(), "/7ZSFUKGV/").status, 404);
  EXPECT_EQ(http_get(port(), "/7ZSFUKGV/http_response/x").status, 404);
}

TEST_F(TunnelTest, WrongKeysAreLimited) {
  const auto wrong = [&] { return http_get(port(), kListen + "alpha", "X-ApiKey: wrong\r\n").status; };
  EXPECT_TRUE(eventually([&] { return wrong() == 429; }));
  EXPECT_GE(metrics().rate_limited, 1u);
  FakeServer beta(port(), "beta");
  beta.send_poll();
  EXPECT_TRUE(has_parked(1)) << "another server at the same address suffers";
}

TEST_F(TunnelTest, APollWithoutWorkEnds) {
  stop();
  start({.poll_hold = milliseconds(30)});
  FakeServer alpha(port(), "alpha");
  for (int i = 0; i < 3; ++i) {
    alpha.send_poll();
    const TestAnswer answer = alpha.read_poll();
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.headers.at("content-type"), "text/plain");
    EXPECT_EQ(answer.headers.count("content-length"), 0u);
  }
  EXPECT_EQ(metrics().links.polls_idle, 3u);
}

TEST_F(TunnelTest, ARequestGoesToTheParkedPoll) {
  FakeServer alpha(port(), "alpha");
  alpha.send_poll("mayfly-version: 0.1.0\r\nmayfly-features: other, scope\r\n");
  ASSERT_TRUE(has_parked(1));
  EXPECT_TRUE(state("alpha").connected);
  EXPECT_EQ(state("alpha").version, "0.1.0");
  EXPECT_TRUE(state("alpha").takes_scopes);
  EXPECT_FALSE(state("beta").connected);
  TestConnection reader(port());
  reader.send("GET /to/alpha/files/small.txt?a=1 HTTP/1.1\r\nHost: 127.0.0.1:4102\r\n\r\n");
  const TestAnswer answer = alpha.read_poll();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.count("content-type"), 0u);
  const auto requests = decode_requests(answer.body);
  ASSERT_TRUE(requests.ok());
  ASSERT_EQ(requests.value().size(), 1u);
  const WrappedRequest& request = requests.value()[0];
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.uri, "/files/small.txt?a=1");
  EXPECT_THAT(request.headers, ElementsAre(std::pair<std::string, std::string>("host", "127.0.0.1:4102")));
  EXPECT_EQ(request.id.size(), 26u);
  EXPECT_EQ(request.id.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos);
  EXPECT_EQ(static_cast<unsigned char>(answer.body[0]), 0x91);
}

TEST_F(TunnelTest, WaitingRequestsGoTogetherAndInOrder) {
  std::vector<std::unique_ptr<TestConnection>> readers;
  for (std::size_t i = 0; i < 20; ++i) {
    readers.push_back(std::make_unique<TestConnection>(port()));
    readers.back()->send(request_of("alpha", "/" + std::to_string(i)));
    ASSERT_TRUE(has_waiting(i + 1));
  }
  FakeServer alpha(port(), "alpha");
  alpha.send_poll();
  const auto requests = alpha.read_requests();
  ASSERT_EQ(requests.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(requests[i].uri, "/" + std::to_string(i));
  EXPECT_EQ(state("alpha").waiting, 0u);
  EXPECT_EQ(state("alpha").in_flight, 20u);
}

TEST_F(TunnelTest, AbandonedRequestsLeaveTheQueue) {
  {
    TestConnection gone(port());
    gone.send(request_of("alpha", "/gone"));
    ASSERT_TRUE(has_waiting(1));
  }
  ASSERT_TRUE(has_waiting(0));
  TestConnection reader(port());
  reader.send(request_of("alpha", "/stays"));
  ASSERT_TRUE(has_waiting(1));
  FakeServer alpha(port(), "alpha");
  EXPECT_EQ(alpha.take().uri, "/stays");
  EXPECT_EQ(metrics().links.cancelled, 1u);
}

TEST_F(TunnelTest, TooManyWaitingAreTurnedAway) {
  std::vector<std::unique_ptr<TestConnection>> readers;
  for (std::size_t i = 0; i < 1000; ++i) {
    readers.push_back(std::make_unique<TestConnection>(port()));
    readers.back()->send(request_of("alpha"));
  }
  ASSERT_TRUE(has_waiting(1000));
  EXPECT_EQ(http_get(port(), "/to/alpha/x").status, 503);
  FakeServer alpha(port(), "alpha");
  alpha.send_poll();
  EXPECT_EQ(alpha.read_requests().size(), 1000u);
}

TEST_F(TunnelTest, APollThatIsGoneTakesNoRequestWithIt) {
  {
    FakeServer first(port(), "alpha");
    first.send_poll();
    ASSERT_TRUE(has_parked(1));
  }
  ASSERT_TRUE(has_parked(0));
  TestConnection reader(port());
  reader.send(request_of("alpha", "/kept"));
  ASSERT_TRUE(has_waiting(1));
  FakeServer second(port(), "alpha");
  EXPECT_EQ(second.take().uri, "/kept");
}

TEST_F(TunnelTest, ASecondPollDisplacesTheFirst) {
  FakeServer first(port(), "alpha"), second(port(), "alpha");
  first.send_poll();
  ASSERT_TRUE(has_parked(1));
  second.send_poll();
  const TestAnswer answer = first.read_poll();
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "Server error\n");
  TestConnection reader(port());
  reader.send(request_of("alpha", "/y"));
  EXPECT_EQ(second.read_requests().at(0).uri, "/y");
}

TEST_F(TunnelTest, TwoServersOfOneNameDoNotFightForEver) {
  FakeServer first(port(), "alpha"), second(port(), "alpha");
  first.send_poll();
  ASSERT_TRUE(has_parked(1));
  second.send_poll();
  EXPECT_EQ(first.read_poll().status, 500);
  first.send_poll();
  ASSERT_TRUE(has_parked(2)) << "both stay";
  TestConnection reader(port()), other(port());
  reader.send(request_of("alpha", "/1"));
  EXPECT_EQ(first.read_requests().at(0).uri, "/1") << "the newer one is likelier to be alive";
  other.send(request_of("alpha", "/2"));
  EXPECT_EQ(second.read_requests().at(0).uri, "/2");
  std::vector<std::unique_ptr<FakeServer>> many;
  for (std::size_t i = 0; i < 6; ++i) {
    many.push_back(std::make_unique<FakeServer>(port(), "alpha"));
    many.back()->send_poll();
    EXPECT_TRUE(has_parked(std::min<std::size_t>(i + 1, 4)));
    EXPECT_TRUE(eventually([&] { return metrics().links.polls_displaced == 1 + (i < 4 ? 0 : i - 3); }));
  }
  EXPECT_EQ(many[0]->read_poll().status, 500);
}

TEST_F(TunnelTest, RequestsOfALostPollAreHandedOutAgain) {
  stop();
  start({.lost_after = milliseconds(0)});
  TestConnection reader(port());
  reader.send(request_of("alpha", "/lost"));
  ASSERT_TRUE(has_waiting(1));
  FakeServer broken(port(), "alpha");
  const std::string id = broken.take().id;
  FakeServer again(port(), "alpha");
  EXPECT_EQ(again.take().id, id);
  EXPECT_EQ(metrics().links.redelivered, 1u);
  EXPECT_EQ(state("alpha").in_flight, 1u);
  FakeServer once_more(port(), "alpha");
  once_more.send_poll();
  EXPECT_TRUE(has_parked(1)) << "once is enough";
  EXPECT_EQ(again.answer(id, {200, {}}, "late").status, 200);
  EXPECT_EQ(reader.read_answer().body, "late");
}

TEST_F(TunnelTest, RequestsThatAreBeingWorkedOnAreNotHandedOutAgain) {
  TestConnection reader(port());
  reader.send(request_of("alpha"));
  ASSERT_TRUE(has_waiting(1));
  FakeServer alpha(port(), "alpha");
  alpha.take();
  alpha.send_poll();
  EXPECT_TRUE(has_parked(1));
  EXPECT_EQ(metrics().links.redelivered, 0u);
}

TEST_F(TunnelTest, StrangersAreRememberedWithinBounds) {
  for (int i = 0; i < 30; ++i) {
    http_get(port(), kListen + "stranger-" + std::to_string(i), "X-ApiKey: k\r\n");
  }
  http_get(port(), kListen + std::string(1000, 'n'), "X-ApiKey: k\r\n");
  http_get(port(), kListen + "stranger-29", "X-ApiKey: k\r\n");
  http_get(port(), kListen + "alpha", "X-ApiKey: k\r\n");
  std::vector<KnockingStranger> strangers;
  loop_.call([&] { strangers = links_->strangers(); });
  ASSERT_EQ(strangers.size(), 20u);
  EXPECT_EQ(strangers[0].name, "stranger-29");
  EXPECT_EQ(strangers[0].tripcode, tripcode("k"));
  EXPECT_EQ(strangers[0].address, "127.0.0.1");
  EXPECT_GT(strangers[0].last_seen_ns, 0u);
  EXPECT_EQ(strangers[1].name, std::string(128, 'n'));
  EXPECT_EQ(strangers[2].name, "stranger-28");
}

TEST_F(TunnelTest, AChangedKeyEndsThePoll) {
  FakeServer alpha(port(), "alpha"), beta(port(), "beta");
  alpha.send_poll();
  beta.send_poll();
  ASSERT_TRUE(has_parked(2));
  set_servers({{"alpha", "a new key"}, {"beta", "key of beta"}});
  EXPECT_EQ(alpha.read_poll().status, 401);
  EXPECT_EQ(metrics().links.parked, 1u);
  alpha.send_poll();
  EXPECT_EQ(alpha.read_poll().body, "Bad X-ApiKey\n");
}

TEST_F(TunnelTest, ARemovedServerIsForgotten) {
  FakeServer alpha(port(), "alpha");
  TestConnection waiting(port()), reading(port());
  reading.send(request_of("alpha", "/long"));
  ASSERT_TRUE(has_waiting(1));
  alpha.take();
  alpha.send_poll();
  ASSERT_TRUE(has_parked(1));
  set_servers({{"beta", "key of beta"}});
  EXPECT_EQ(alpha.read_poll().status, 401);
  const TestAnswer answer = reading.read_answer();
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "Unknown server\n");
  EXPECT_EQ(http_get(port(), "/to/alpha/x").body, "Unknown server\n");
  EXPECT_EQ(metrics().links.in_flight, 0u);
}

TEST_F(TunnelTest, ClosingSendsEverybodyAway) {
  FakeServer alpha(port(), "alpha");
  alpha.send_poll();
  ASSERT_TRUE(has_parked(1));
  TestConnection reader(port());
  reader.send(request_of("beta"));
  ASSERT_TRUE(has_waiting(1, "beta"));
  loop_.call([&] { links_->close(); });
  EXPECT_EQ(alpha.read_poll().status, 503);
  EXPECT_EQ(reader.read_answer().body, "Relay shutting down\n");
  alpha.send_poll();
  EXPECT_EQ(alpha.read_poll().status, 503);
}

}  // namespace
}  // namespace mayfly::hubd
