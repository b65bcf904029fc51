// Sessions: bounds, lifetimes, ends.
#include "hubd/sessions.h"

#include <gtest/gtest.h>

#include <set>

namespace mayfly::hubd {
namespace {

const User kAda{"ada", "$y$hash-of-ada", {}};
const User kBob{"bob", "$y$hash-of-bob", {}};

TEST(Sessions, AreFoundByTheirSecretOnly) {
  Sessions sessions;
  const std::string secret = sessions.open(kAda, 0).value();
  EXPECT_EQ(secret.size(), 43u);
  const auto found = sessions.find(secret, 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->user, "ada");
  EXPECT_NE(found->id, secret);
  EXPECT_NE(found->csrf, secret);
  EXPECT_EQ(sessions.find(secret, 2)->csrf, found->csrf);
  EXPECT_FALSE(sessions.find(found->id, 1));
  EXPECT_FALSE(sessions.find(found->csrf, 1));
  EXPECT_FALSE(sessions.find("", 1));
  EXPECT_FALSE(sessions.find(secret.substr(1), 1));
}

TEST(Sessions, SecretsAndTokensDiffer) {
  Sessions sessions;
  std::set<std::string> all;
  for (int i = 0; i < 10; ++i) {
    const std::string secret = sessions.open(kAda, 0).value();
    all.insert(secret);
    all.insert(sessions.find(secret, 0)->csrf);
  }
  EXPECT_EQ(all.size(), 20u);
}

TEST(Sessions, EndByBeingIdleAndByAge) {
  const SessionLimits limits{.per_user = 16, .total = 16, .idle_ms = 100, .absolute_ms = 250};
  Sessions sessions(limits);
  const std::string idle = sessions.open(kAda, 0).value();
  const std::string busy = sessions.open(kAda, 0).value();
  EXPECT_TRUE(sessions.find(idle, 99));
  EXPECT_TRUE(sessions.find(busy, 99));
  EXPECT_TRUE(sessions.find(busy, 198));
  EXPECT_FALSE(sessions.find(idle, 199));
  const auto last = sessions.find(busy, 249);
  ASSERT_TRUE(last);
  EXPECT_TRUE(sessions.alive(last->id, 249));
  EXPECT_FALSE(sessions.alive(last->id, 250));
  EXPECT_FALSE(sessions.find(busy, 250));
  EXPECT_EQ(sessions.size(), 0u);
}

TEST(Sessions, AreBoundedForEachUserAndInAll) {
  const SessionLimits limits{.per_user = 2, .total = 3, .idle_ms = 1000, .absolute_ms = 1000};
  Sessions sessions(limits);
  const std::string first = sessions.open(kAda, 0).value();
  const std::string second = sessions.open(kAda, 0).value();
  EXPECT_TRUE(sessions.find(first, 1));
  const std::string third = sessions.open(kAda, 1).value();
  EXPECT_TRUE(sessions.find(first, 2));
  EXPECT_FALSE(sessions.find(second, 2)) << "the one used longest ago";
  EXPECT_TRUE(sessions.find(third, 2));
  const std::string bob1 = sessions.open(kBob, 3).value();
  const std::string bob2 = sessions.open(kBob, 3).value();
  EXPECT_EQ(sessions.size(), 3u);
  EXPECT_FALSE(sessions.find(first, 4));
  EXPECT_TRUE(sessions.find(bob1, 4));
  EXPECT_TRUE(sessions.find(bob2, 4));
}

TEST(Sessions, EndWithTheirUserAndWithItsPassword) {
  Sessions sessions;
  const std::string ada = sessions.open(kAda, 0).value();
  const std::string bob = sessions.open(kBob, 0).value();
  User changed = kAda;
  changed.rights.push_back({"*", ""});
  sessions.set_users({changed, kBob});
  EXPECT_TRUE(sessions.find(ada, 1)) << "rights are not the session's";
  changed.password = "$y$another";
  sessions.set_users({changed, kBob});
  EXPECT_FALSE(sessions.find(ada, 1));
  EXPECT_TRUE(sessions.find(bob, 1));
  sessions.set_users({changed});
  EXPECT_FALSE(sessions.find(bob, 1));
}

TEST(Sessions, EndWhenAsked) {
  Sessions sessions;
  const std::string secret = sessions.open(kAda, 0).value();
  const Sessions::Id id = sessions.find(secret, 0)->id;
  EXPECT_TRUE(sessions.alive(id, 0));
  sessions.end(id);
  sessions.end(id);
  EXPECT_FALSE(sessions.alive(id, 0));
  EXPECT_FALSE(sessions.find(secret, 0));
}

}  // namespace
}  // namespace mayfly::hubd
