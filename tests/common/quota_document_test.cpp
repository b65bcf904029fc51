#include "common/quota_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mayfly {
namespace {

using shm::Kind;
using shm::Quotas;
using shm::Result;
using shm::Rule;
using shm::Rules;
using testing::HasSubstr;

Rule rule(Kind kind, bool pattern, const std::string& name) {
  Rule out;
  out.kind = kind;
  out.pattern = pattern;
  out.name = name;
  return out;
}

Rules sample() {
  Rules rules;
  rules.version = "v1";
  rules.rules = {rule(Kind::log, false, "demo"), rule(Kind::status, false, "web"),
                 rule(Kind::log, true, "app-*")};
  return rules;
}

std::string document_of(const std::string& directories) {
  return R"({"version":"v","paused":false,"directories":[)" + directories + "]}";
}

TEST(QuotaDocument, EveryFieldIsWrittenOut) {
  EXPECT_EQ(
      emit_quota_document(sample()),
      R"({"version":"v1","paused":false,"directories":[)"
      R"({"kind":"log","name":"demo","max_keys":1024,"max_key_bytes":1024,"max_value_bytes":1024,)"
      R"("max_total_bytes":262144,"max_bytes_per_key":262144,"max_events_per_key":2048,"max_age_seconds":86400,)"
      R"("reserve_bytes":0,"when_keys_full":"evict"},)"
      R"({"kind":"status","name":"web","max_keys":1024,"max_key_bytes":1024,"max_value_bytes":1024,)"
      R"("max_total_bytes":262144,"max_bytes_per_key":262144,"max_age_seconds":86400,)"
      R"("reserve_bytes":0,"stale_after_seconds":0,"when_keys_full":"evict"},)"
      R"({"kind":"log","pattern":"app-*","max_directories":64,"max_keys":1024,"max_key_bytes":1024,)"
      R"("max_value_bytes":1024,"max_total_bytes":262144,"max_bytes_per_key":262144,"max_events_per_key":2048,)"
      R"("max_age_seconds":86400,"reserve_bytes":0,"when_keys_full":"evict"}]})");
}

TEST(QuotaDocument, BorderNumbersComeBackExactly) {
  for (const std::uint64_t n :
       {0ull, 1ull, (1ull << 31) - 1, 1ull << 31, (1ull << 31) + 1, (1ull << 32) - 1, 1ull << 32,
        (1ull << 32) + 1, (1ull << 53) + 1, (1ull << 63) - 1, 1ull << 63, ~0ull}) {
    Rules rules = sample();
    for (Rule& one : rules.rules) {
      for (const QuotaField& field : kQuotaFields) {
        if (has_quota_field(field, one.kind)) one.quotas.*field.member = n;
      }
      one.quotas.drop_when_keys_full = true;
      if (one.pattern) one.max_directories = n;
    }
    const Result<Rules> back = parse_quota_document(emit_quota_document(rules));
    ASSERT_TRUE(back.ok()) << back.error().text;
    EXPECT_EQ(back.value(), rules) << n;
  }
}

TEST(QuotaDocument, WhatIsLeftOutHasItsDefault) {
  const Result<Rules> rules = parse_quota_document(
      R"({"version":"1","directories":[{"kind":"log","name":"a","max_total_bytes":7}]})");
  ASSERT_TRUE(rules.ok()) << rules.error().text;
  EXPECT_FALSE(rules.value().paused);
  const Quotas& quotas = rules.value().rules.at(0).quotas;
  EXPECT_EQ(quotas.max_total_bytes, 7u);
  EXPECT_EQ(quotas.max_bytes_per_key, 7u);
  EXPECT_EQ(quotas.max_keys, 1024u);
}

TEST(QuotaDocument, UnknownMembersArePassedOver) {
  EXPECT_TRUE(
      parse_quota_document(R"({"version":"1","directories":[{"kind":"log","name":"a","x":[1]}],"y":{}})")
          .ok());
}

TEST(QuotaDocument, SameNamesOfDifferentKindsAreTwoDirectories) {
  EXPECT_TRUE(
      parse_quota_document(document_of(R"({"kind":"log","name":"a"},{"kind":"status","name":"a"})")).ok());
  EXPECT_TRUE(
      parse_quota_document(document_of(R"({"kind":"log","pattern":"*"},{"kind":"status","pattern":"*"})"))
          .ok());
}

TEST(QuotaDocument, VersionsFollowTheContentsAlone) {
  const Rules rules = sample();
  Rules other = rules;
  other.version = "something else";
  other.rules[0].birth = 17;
  EXPECT_EQ(quota_version(rules), quota_version(other));
  EXPECT_EQ(quota_version(rules).size(), 32u);
  EXPECT_LE(quota_version(rules).size(), shm::kMaxVersionBytes);
  other.paused = true;
  EXPECT_NE(quota_version(rules), quota_version(other));
  other = rules;
  other.rules[1].quotas.stale_after_seconds = 5;
  EXPECT_NE(quota_version(rules), quota_version(other));
  other = rules;
  std::swap(other.rules[0], other.rules[1]);
  EXPECT_NE(quota_version(rules), quota_version(other));
}

struct BadDocument {
  std::string text;
  std::string reason;
};

class QuotaDocumentRefusal : public testing::TestWithParam<BadDocument> {};

TEST_P(QuotaDocumentRefusal, IsRefusedWithItsReason) {
  const Result<Rules> rules = parse_quota_document(GetParam().text);
  ASSERT_FALSE(rules.ok()) << GetParam().text;
  EXPECT_EQ(rules.error().code, shm::Errc::invalid);
  EXPECT_THAT(rules.error().text, HasSubstr(GetParam().reason));
}

const std::string kNumber = "max_keys is not an integer of 0 to 2^64-1";

std::string with_keys(const std::string& number) {
  return document_of(R"({"kind":"log","name":"a","max_keys":)" + number + "}");
}

INSTANTIATE_TEST_SUITE_P(
    Numbers, QuotaDocumentRefusal,
    testing::Values(BadDocument{with_keys("-1"), kNumber}, BadDocument{with_keys("-0"), kNumber},
                    BadDocument{with_keys("1.0"), kNumber}, BadDocument{with_keys("1e3"), kNumber},
                    BadDocument{with_keys("18446744073709551616"), kNumber},
                    BadDocument{with_keys("\"5\""), kNumber}, BadDocument{with_keys("null"), kNumber},
                    BadDocument{with_keys("true"), kNumber}, BadDocument{with_keys("[1]"), kNumber},
                    BadDocument{with_keys("01"), "parse error"}));

INSTANTIATE_TEST_SUITE_P(
    Texts, QuotaDocumentRefusal,
    testing::Values(
        BadDocument{"", "parse error"}, BadDocument{"[]", "not an object"},
        BadDocument{"null", "not an object"}, BadDocument{"{", "parse error"},
        BadDocument{document_of("") + "x", "parse error"},
        BadDocument{R"({"directories":[]})", "version is missing"},
        BadDocument{R"({"version":1,"directories":[]})", "version is missing, or not text"},
        BadDocument{R"({"version":"","directories":[]})", "version is not 1 to 63"},
        BadDocument{R"({"version":")" + std::string(64, 'x') + R"(","directories":[]})",
                    "version is not 1 to 63"},
        BadDocument{R"({"version":"a b","directories":[]})", "version is not 1 to 63"},
        BadDocument{R"({"version":"1"})", "directories is missing"},
        BadDocument{R"({"version":"1","directories":{}})", "directories is missing, or not a list"},
        BadDocument{R"({"version":"1","paused":0,"directories":[]})", "paused is neither"},
        BadDocument{R"({"version":"1","version":"2","directories":[]})", "\"version\" is given twice"},
        BadDocument{document_of("5"), "directories[0] is not an object"},
        BadDocument{document_of(R"({"name":"a"})"), "directories[0].kind is neither"},
        BadDocument{document_of(R"({"kind":"queue","name":"a"})"), "directories[0].kind is neither"},
        BadDocument{document_of(R"({"kind":"log"})"), "needs either a name or a pattern"},
        BadDocument{document_of(R"({"kind":"log","name":"a","pattern":"b"})"),
                    "needs either a name or a pattern"},
        BadDocument{document_of(R"({"kind":"log","name":"a/b"})"), ".name is not valid"},
        BadDocument{document_of(R"({"kind":"log","name":"a*"})"), ".name is not valid"},
        BadDocument{document_of(R"({"kind":"log","pattern":".*"})"), ".pattern is not valid"},
        BadDocument{document_of(R"({"kind":"log","name":5})"), ".name is not text"},
        BadDocument{document_of(R"({"kind":"log","name":"a"},{"kind":"log","name":"a"})"),
                    "\"a\" is listed twice"},
        BadDocument{document_of(R"({"kind":"log","name":"a","name":"b"})"), "\"name\" is given twice"},
        BadDocument{document_of(R"({"kind":"status","name":"a","max_events_per_key":1})"),
                    "no meaning for this kind"},
        BadDocument{document_of(R"({"kind":"log","name":"a","max_directories":1})"), "is for patterns"},
        BadDocument{document_of(R"({"kind":"log","name":"a","when_keys_full":"wait"})"),
                    "neither \"evict\" nor"}));

TEST(QuotaDocument, RefusesTooManyRules) {
  std::string directories;
  for (std::size_t i = 0; i <= shm::kMaxRules; ++i) {
    directories += (i == 0 ? "" : ",") + (R"({"kind":"log","name":"d)" + std::to_string(i)) + R"("})";
  }
  ASSERT_FALSE(parse_quota_document(document_of(directories)).ok());
  EXPECT_THAT(parse_quota_document(document_of(directories)).error().text, HasSubstr("more than 4096"));
}

TEST(QuotaDocument, DeepNestingIsHarmless) {
  EXPECT_FALSE(parse_quota_document(std::string(100000, '[')).ok());
  EXPECT_FALSE(parse_quota_document(std::string(kMaxQuotaDocumentBytes + 1, ' ')).ok());
}

}  // namespace
}  // namespace mayfly
