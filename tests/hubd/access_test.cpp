// Rights and scopes: the pure part of who may read what.
#include "hubd/access.h"

#include <gtest/gtest.h>

#include "hubd/open_reads.h"

namespace mayfly::hubd {
namespace {

Reader person(std::vector<Right> rights) { return {Reader::Kind::person, "ada", std::move(rights)}; }

TEST(Scope, NobodySeesNothingAndEverybodyAll) {
  EXPECT_TRUE(scope_for(Reader{}, "web-1").nothing());
  EXPECT_TRUE(scope_for({Reader::Kind::nobody, "", {{"*", ""}}}, "web-1").nothing());
  EXPECT_TRUE(scope_for({Reader::Kind::everybody, "", {}}, "web-1").everything);
  EXPECT_TRUE(scope_for(person({}), "web-1").nothing());
}

TEST(Scope, ComesFromTheRightsToThatServerAndToAll) {
  const Reader reader = person({{"web-1", "app-"}, {"*", "pub"}, {"db", ""}});
  const Scope web = scope_for(reader, "web-1");
  EXPECT_FALSE(web.everything);
  EXPECT_TRUE(web.covers("app-1"));
  EXPECT_TRUE(web.covers("public"));
  EXPECT_FALSE(web.covers("ap"));
  EXPECT_FALSE(web.covers("secret"));
  EXPECT_FALSE(web.covers(""));
  EXPECT_TRUE(scope_for(reader, "db").everything);
  EXPECT_FALSE(scope_for(reader, "other").covers("app-1"));
  EXPECT_TRUE(scope_for(reader, "other").covers("pub"));
}

TEST(Scope, ServersAreComparedWhole) {
  const Reader reader = person({{"web", ""}});
  EXPECT_TRUE(scope_for(reader, "web-1").nothing());
  EXPECT_TRUE(scope_for(reader, "we").nothing());
  EXPECT_TRUE(scope_for(reader, "").nothing());
}

TEST(Scope, KeepsTheShortestPrefixesOnly) {
  EXPECT_EQ(scope_for(person({{"a", "app-x"}, {"*", "app"}, {"a", "app-y"}, {"a", "b"}}), "a").prefixes,
            (std::vector<std::string>{"app", "b"}));
}

TEST(Scope, Containment) {
  const Scope all{true, {}}, app{false, {"app"}}, app1{false, {"app-1"}}, none;
  EXPECT_TRUE(contains(all, app));
  EXPECT_FALSE(contains(app, all));
  EXPECT_TRUE(contains(app, app1));
  EXPECT_FALSE(contains(app1, app));
  EXPECT_TRUE(contains(none, none));
  EXPECT_FALSE(contains(none, app1));
}

TEST(Administration, NeedsEverythingEverywhere) {
  EXPECT_TRUE(may_administer({Reader::Kind::everybody, "", {}}));
  EXPECT_TRUE(may_administer(person({{"a", "x"}, {"*", ""}})));
  EXPECT_FALSE(may_administer(person({{"*", "a"}})));
  EXPECT_FALSE(may_administer(person({{"web-1", ""}})));
  EXPECT_FALSE(may_administer(Reader{}));
}

TEST(Login, IsNeededWhereUsersAreUnlessAProxySaysWhoComes) {
  HubConfig config;
  EXPECT_FALSE(needs_login(config));
  config.users.push_back({"ada", "$y$", {}});
  EXPECT_TRUE(needs_login(config));
  config.behind_proxy = true;
  EXPECT_FALSE(needs_login(config));
}

Claim claim_of(std::vector<Right> rights, std::string server, std::string directory) {
  Claim claim;
  claim.reader = std::make_shared<const Reader>(person(std::move(rights)));
  claim.server = std::move(server);
  claim.directory = std::move(directory);
  return claim;
}

ReaderPtr now_with(std::vector<Right> rights) {
  return std::make_shared<const Reader>(person(std::move(rights)));
}

TEST(StillCovered, LooksAtWhatTheAnswerWasOpenedFor) {
  const Claim one = claim_of({{"*", ""}}, "web-1", "app-1");
  EXPECT_TRUE(still_covered(one, now_with({{"web-1", "app-"}})));
  EXPECT_FALSE(still_covered(one, now_with({{"web-1", "apq"}})));
  EXPECT_FALSE(still_covered(one, now_with({{"web-2", ""}})));
  EXPECT_FALSE(still_covered(one, nullptr));
  const Claim whole = claim_of({{"web-1", "app-"}}, "web-1", "");
  EXPECT_TRUE(still_covered(whole, now_with({{"web-1", "app-"}})));
  EXPECT_TRUE(still_covered(whole, now_with({{"*", "a"}})));
  EXPECT_FALSE(still_covered(whole, now_with({{"web-1", "app-1"}})));
  const Claim many = claim_of({{"web-1", "app-"}, {"db", ""}}, "", "");
  EXPECT_TRUE(still_covered(many, now_with({{"db", ""}, {"web-1", "app-"}, {"x", "y"}})));
  EXPECT_TRUE(still_covered(many, now_with({{"*", ""}})));
  EXPECT_FALSE(still_covered(many, now_with({{"web-1", "app-"}})));
}

}  // namespace
}  // namespace mayfly::hubd
