// Hosts' metrics are somebody else's text.
#include "hubd/exposition.h"

#include <gmock/gmock.h>

#include "hubd/fleet_exposition.h"

namespace mayfly::hubd {
namespace {

using testing::HasSubstr;
using testing::Not;

HostMetrics host(const std::string& name, const std::string& body) {
  return {name, true, std::uint64_t{1'700'000'000'000'000'001}, 200, body, true};
}

TEST(Exposition, ReadsFamilies) {
  const Exposition read = parse_exposition(
      "# HELP a_total How many.\\nTwo lines, one \\\\ slash.\n# TYPE a_total counter\n"
      "a_total{b=\"x\\\"y\\\\z\\n\",a=\"1\",} 5 1700000000000\na_total 6e3\n"
      "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2.5\nh_count 1\n"
      "# a comment\n\nplain NaN\nplain{x=\"\"} -Inf\n",
      true);
  EXPECT_EQ(read.dropped, 0u);
  ASSERT_EQ(read.families.size(), 3u);
  const ExposedFamily& a = read.families[0];
  EXPECT_EQ(a.type, "counter");
  EXPECT_EQ(a.help, "How many.\nTwo lines, one \\ slash.");
  ASSERT_EQ(a.samples.size(), 2u);
  EXPECT_THAT(a.samples[0].labels,
              testing::ElementsAre(std::pair<std::string, std::string>("a", "1"),
                                   std::pair<std::string, std::string>("b", "x\"y\\z\n")));
  EXPECT_EQ(a.samples[0].value, "5");
  EXPECT_EQ(read.families[1].samples.size(), 3u);
  EXPECT_EQ(read.families[2].type, "untyped");
}

TEST(Exposition, DropsWhatIsMalformed) {
  for (const std::string& line : std::vector<std::string>{"1abc 5",
                                                          "a",
                                                          "a ",
                                                          "a{",
                                                          "a{} ",
                                                          "a{b} 1",
                                                          "a{b=} 1",
                                                          "a{b=\"} 1",
                                                          "a{b=\"x\"",
                                                          "a{b=\"x\"} 1 2 3",
                                                          "a{b=\"x\"c=\"y\"} 1",
                                                          "a{b=\"x\",b=\"y\"} 1",
                                                          "a{__name__=\"x\"} 1",
                                                          "a{b=\"\\x\"} 1",
                                                          "a{,} 1",
                                                          "a{b:c=\"\"} 1",
                                                          "a 0x10",
                                                          "a 1_0",
                                                          "a inf",
                                                          "a nan",
                                                          "a 1e",
                                                          "a .",
                                                          "a 1 x",
                                                          "a 1 1.5",
                                                          "a-b 1",
                                                          "\xff 1",
                                                          "a{b=\"\xff\"} 1",
                                                          "a\x01 1",
                                                          "# TYPE a nonsense",
                                                          "# TYPE",
                                                          "# TYPE 1 gauge",
                                                          "# HELP a \\x",
                                                          "# TYPE a gauge gauge",
                                                          std::string(300, 'a') + " 1",
                                                          "a{b=\"" + std::string(70000, 'x') + "\"} 1",
                                                          "a1",
                                                          "a\"b\" 1",
                                                          "a{b=\"x\"}1 2 3"}) {
    const Exposition read = parse_exposition(line + "\ngood 1\n", true);
    EXPECT_EQ(read.dropped, 1u) << line.substr(0, 80);
    EXPECT_EQ(read.families.back().name, "good");
    EXPECT_EQ(read.families.back().samples.size(), 1u);
  }
}

TEST(Exposition, DoubleSeriesAndLateTypesAreDropped) {
  EXPECT_EQ(parse_exposition("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n", true).dropped, 1u);
  EXPECT_EQ(parse_exposition("a{x=\"1,y=2\"} 1\na{x=\"1\",y=\"2\"} 2\n", true).dropped, 0u);
  EXPECT_EQ(parse_exposition("a 1\n# TYPE a gauge\n", true).dropped, 1u);
  EXPECT_EQ(parse_exposition("# TYPE a gauge\n# TYPE a counter\n", true).dropped, 1u);
}

TEST(Exposition, ACutLineIsLeftOut) {
  EXPECT_EQ(parse_exposition("a 1\nb 12", false).families.size(), 1u);
  EXPECT_EQ(parse_exposition("a 1\nb 12", true).families.size(), 2u);
}

TEST(FleetExposition, EachFamilyOnceAndEverySampleWithItsServer) {
  const std::string text =
      fleet_exposition({host("web-1",
                             "# HELP m_x_total Of one.\n# TYPE m_x_total counter\nm_x_total{a=\"1\"} 5\n"
                             "# TYPE m_g gauge\nm_g 1\n"),
                        host("web-2", "# TYPE m_x_total counter\nm_x_total 7\n"),
                        {"away", false, {}, 0, "", false}},
                       false);
  EXPECT_THAT(text, HasSubstr("# HELP m_x_total Of one.\n# TYPE m_x_total counter\n"
                              "m_x_total{server=\"web-1\",a=\"1\"} 5\nm_x_total{server=\"web-2\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("mayfly_host_up{server=\"web-1\"} 1\nmayfly_host_up{server=\"web-2\"} 1\n"
                              "mayfly_host_up{server=\"away\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("mayfly_host_last_seen_timestamp_seconds{server=\"web-1\"} 1700000000.000000001\n"));
  EXPECT_THAT(text, Not(HasSubstr("timestamp_seconds{server=\"away\"}")));
  EXPECT_THAT(text, Not(HasSubstr("# EOF")));
}

TEST(FleetExposition, AHostCannotSpeakForOthers) {
  const std::string text = fleet_exposition(
      {host("evil",
            "mayfly_host_up{server=\"web-2\"} 0\nup 1\nm_x{server=\"web-2\"} 1\n"
            "m_x{server=\"a\",exported_server=\"b\"} 1\n# TYPE m_c_total gauge\nm_c_total 1\n"
            "m_y{a=\"\\n# EOF\\nm_z 1\"} 1\n"),
       host("web-2", "# TYPE m_c_total counter\nm_c_total 2\n")},
      false);
  EXPECT_THAT(text, HasSubstr("m_x{server=\"evil\",exported_server=\"web-2\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("exported_server=\"b\"")));
  EXPECT_THAT(text, HasSubstr("mayfly_host_up{server=\"web-2\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("\nup{")));
  EXPECT_THAT(
      text,
      HasSubstr("# TYPE m_c_total untyped\nm_c_total{server=\"evil\"} 1\nm_c_total{server=\"web-2\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("m_y{server=\"evil\",a=\"\\n# EOF\\nm_z 1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("mayfly_host_scrape_dropped_lines{server=\"evil\"} 3\n"));
}

TEST(FleetExposition, OpenMetricsNamesCountersByTheirFamily) {
  const std::string text = fleet_exposition(
      {host("w",
            "# HELP x_total Say \"x\".\n# TYPE x_total counter\nx_total 1\n# TYPE y counter\ny 1\nz 1\n"
            "# TYPE q_total counter\nq_total 1\nq 2\n")},
      true);
  EXPECT_THAT(text, HasSubstr("# HELP x Say \\\"x\\\".\n# TYPE x counter\nx_total{server=\"w\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE y unknown\ny{server=\"w\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE z unknown\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE q_total unknown\nq_total{server=\"w\"} 1\n"));
  EXPECT_TRUE(text.ends_with("# EOF\n"));
}

}  // namespace
}  // namespace mayfly::hubd
