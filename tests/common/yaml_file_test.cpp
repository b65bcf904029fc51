#include "common/yaml_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace mayfly {
namespace {

using shm::Result;
using shm::Status;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr ConfigKey kKeys[] = {
    {"name", "text", "none", ""},      {"count", "integer", "1", ""}, {"bytes", "size", "2", ""},
    {"age", "age", "3", ""},           {"on", "flag", "false", ""},   {"words", "list of text", "none", ""},
    {"color", "red, blue", "red", ""}, {"inner", "map", "none", ""},
};
const ConfigTable kTable{"test", kKeys};

struct Settings {
  std::string name = "default";
  std::uint64_t count = 1, bytes = 2, age = 3;
  bool on = false;
  std::vector<std::string> words;
  std::size_t color = 0;
};

Status read(const YamlFile& file, Settings& out) {
  static constexpr std::string_view kColors[] = {"red", "blue"};
  YamlMap map(file.root, kTable);
  map.text("name", out.name);
  map.integer("count", out.count, 0, 1000);
  map.size("bytes", out.bytes);
  map.age("age", out.age);
  map.flag("on", out.on);
  map.texts("words", out.words);
  map.choice("color", kColors, out.color);
  map.map("inner");
  return map.status();
}

/// The first error of a text, or "".
std::string error_of(const std::string& text) {
  const Result<YamlFile> file = parse_yaml_text(text, "f");
  if (!file.ok()) return file.error().text;
  Settings settings;
  const Status status = read(file.value(), settings);
  return status.ok() ? "" : status.error().text;
}

TEST(YamlFile, ReadsWhatIsThereAndKeepsTheRest) {
  const auto file = parse_yaml_text("name: x\nbytes: 64KiB\nwords: [a, \"b c\", 5]\ncolor: blue\n", "f");
  ASSERT_TRUE(file.ok()) << file.error().text;
  Settings settings;
  ASSERT_TRUE(read(file.value(), settings).ok());
  EXPECT_EQ(settings.name, "x");
  EXPECT_EQ(settings.bytes, 65536u);
  EXPECT_EQ(settings.count, 1u);
  EXPECT_EQ(settings.age, 3u);
  EXPECT_EQ(settings.color, 1u);
  EXPECT_THAT(settings.words, ElementsAre("a", "b c", "5"));
}

struct Refusal {
  std::string text;
  std::string beginning;
};

class YamlRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(YamlRefusal, NamesThePlaceAndTheReason) {
  EXPECT_THAT(error_of(GetParam().text), StartsWith(GetParam().beginning));
}

INSTANTIATE_TEST_SUITE_P(
    Values, YamlRefusal,
    testing::Values(Refusal{"count: -1\n", "f:1:8: `count`: `-1` is negative"},
                    Refusal{"name: a\ncount: 010\n", "f:2:8: `count`: `010` has a leading zero"},
                    Refusal{"count: 0x10\n", "f:1:8: `count`: `0x10` is not a whole number"},
                    Refusal{"count: 1.0\n", "f:1:8: `count`: `1.0` is not a whole number"},
                    Refusal{"count: 1e3\n", "f:1:8: `count`: `1e3` is not"},
                    Refusal{"count: 1_000\n", "f:1:8: `count`: `1_000` is not"},
                    Refusal{"count: .inf\n", "f:1:8: `count`: `.inf` is not"},
                    Refusal{"count: true\n", "f:1:8: `count`: `true` is not"},
                    Refusal{"count: unlimited\n", "f:1:8: `count`: `unlimited` is not known"},
                    Refusal{"count: 18446744073709551616\n",
                            "f:1:8: `count`: `18446744073709551616` is beyond 64 bits"},
                    Refusal{"count: 1001\n", "f:1:8: `count` must be 0 to 1000"},
                    Refusal{"count: \"5\"\n", "f:1:8: `count`: text in quotes"},
                    Refusal{"count: '5'\n", "f:1:8: `count`: text in quotes"},
                    Refusal{"count: [5]\n", "f:1:8: `count` takes one value"},
                    Refusal{"bytes: 1KB\n", "f:1:8: `bytes`: `1KB` is not a size"},
                    Refusal{"age: 2w\n", "f:1:6: `age`: `2w` is not an age"},
                    Refusal{"on: yes\n", "f:1:5: `on` is either true or false"},
                    Refusal{"on: \"true\"\n", "f:1:5: `on` is either true or false"},
                    Refusal{"color: green\n", "f:1:8: `color` is one of: red, blue"},
                    Refusal{"words: a\n", "f:1:8: `words` takes a list"},
                    Refusal{"words: [a, [b]]\n", "f:1:12: `words` is a list of words"},
                    Refusal{"words: [a, ~]\n", "f:1:12: `words` is a list of words"},
                    Refusal{"inner: 5\n", "f:1:8: `inner` takes a map"},
                    Refusal{"name: {a: b}\n", "f:1:7: `name` takes"}));

INSTANTIATE_TEST_SUITE_P(Nulls, YamlRefusal,
                         testing::Values(Refusal{"on: true\ncount: null\n",
                                                 "f:2:8: `count` has no value (null)"},
                                         Refusal{"count: ~\n", "f:1:8: `count` has no value (null)"},
                                         Refusal{"count:\n", "f:1:1: `count` has no value (null)"},
                                         Refusal{"count:\nname: x\n", "f:1:1: `count` has no value (null)"}));

INSTANTIATE_TEST_SUITE_P(
    Structure, YamlRefusal,
    testing::Values(
        Refusal{"name: x\ncuont: 1\n", "f:2:1: unknown key `cuont`; known here: name, count"},
        Refusal{"name: x\nname: y\n", "f:2:1: duplicate key `name`, first at f:1:1"},
        Refusal{"inner: {a: 1, a: 2}\n", "f:1:15: duplicate key `a`, first at f:1:9"},
        Refusal{"\"name\": x\nname: y\n", "f:2:1: duplicate key `name`"},
        Refusal{"", "f:1:1: the file is empty"}, Refusal{"# nothing\n", "f:1:1: the file is empty"},
        Refusal{"- a\n", "f:1:1: a map of settings"}, Refusal{"text\n", "f:1:1: a map of settings"},
        Refusal{"name: &a x\n", "f:1:7: anchors"}, Refusal{"name: *a\n", "f:1:7: "},
        Refusal{"name: !!str x\n", "f:1:7: tags"}, Refusal{"count: !!int 5\n", "f:1:8: tags"},
        Refusal{"name: x\n---\nname: y\n", "f:2:1: a second document"},
        Refusal{"[a]: b\n", "f:1:1: a key must be a word"}, Refusal{"name: x\n\tcount: 1\n", "f:2:1: "},
        Refusal{"words: [a\ncount: 1\n", "f:2:"}, Refusal{"name: a\n count: b: c\n", "f:2:"},
        Refusal{"inner: " + std::string(40, '[') + "\n", "f:1:"},
        Refusal{"name: a\ncount: 1\x04\nname: b\n", "f:2:9: a control character"},
        Refusal{std::string("name: a\0b\n", 10), "f:1:8: a control character"},
        Refusal{"name: \xff\n", "f:1:7: a byte that is not UTF-8"},
        Refusal{"name: \xed\xa0\x80\n", "f:1:7: a byte that is not UTF-8"},
        Refusal{"\xff\xfen\n", "f:1:1: a byte that is not UTF-8"}));

TEST(YamlFile, ManyOpenBracketsAreRefusedNotFollowed) {
  EXPECT_THAT(error_of("name: " + std::string(1000000, '[')), StartsWith("f:1:"));
}

TEST(YamlFile, TheFirstErrorStays) {
  const auto file = parse_yaml_text("count: x\nbytes: y\n", "f");
  YamlMap map(file.value().root, kTable);
  std::uint64_t out = 7;
  map.integer("count", out);
  map.size("bytes", out);
  map.require({"name"});
  EXPECT_THAT(map.status().error().text, StartsWith("f:1:8"));
  EXPECT_EQ(out, 7u);
}

/// A directory that goes with the test.
class YamlFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "yaml_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name)) << text;
  }
  std::string directory_;
};

TEST_F(YamlFiles, DropInsAreReadByNameAndListsAreJoined) {
  put("f.yaml", "words: [a]\n");
  put("f.yaml.d/20.yaml", "words: [c]\ncount: 5\n");
  put("f.yaml.d/10.yaml", "words: [b]\n");
  put("f.yaml.d/30.yml", "no: yaml\n");
  put("f.yaml.d/.hidden.yaml", "no: yaml\n");
  const auto file = load_yaml_file(path("f.yaml"));
  ASSERT_TRUE(file.ok()) << file.error().text;
  EXPECT_THAT(file.value().files,
              ElementsAre(path("f.yaml"), path("f.yaml.d/10.yaml"), path("f.yaml.d/20.yaml")));
  Settings settings;
  ASSERT_TRUE(read(file.value(), settings).ok());
  EXPECT_THAT(settings.words, ElementsAre("a", "b", "c"));
  EXPECT_EQ(settings.count, 5u);
}

TEST_F(YamlFiles, ErrorsNameTheDropIn) {
  put("f.yaml", "name: x\n");
  put("f.yaml.d/a.yaml", "on: true\nname: y\n");
  EXPECT_EQ(load_yaml_file(path("f.yaml")).error().text,
            path("f.yaml.d/a.yaml") + ":2:1: duplicate key `name`, first at " + path("f.yaml") + ":1:1");
  put("f.yaml.d/a.yaml", "");
  EXPECT_THAT(load_yaml_file(path("f.yaml")).error().text, HasSubstr("a.yaml:1:1: the file is empty"));
}

TEST_F(YamlFiles, WhatIsNoFileIsAnErrorAtOnce) {
  EXPECT_EQ(load_yaml_file(path("none")).error().code, shm::Errc::not_found);
  std::filesystem::create_directory(path("dir"));
  EXPECT_THAT(load_yaml_file(path("dir")).error().text, HasSubstr("is not a file"));
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(load_yaml_file(path("fifo")).error().text, HasSubstr("is not a file"));
}

TEST_F(YamlFiles, SecretsNeedAFileOfOurOwn) {
  put("f.yaml", "name: secret\n");
  for (const mode_t mode : {0600, 0400}) {
    chmod(path("f.yaml").c_str(), mode);
    EXPECT_TRUE(require_private(load_yaml_file(path("f.yaml")).value().root.entries[0].value).ok());
  }
  for (const mode_t mode : {0644, 0640, 0602, 0700}) {
    chmod(path("f.yaml").c_str(), mode);
    const Status status = require_private(load_yaml_file(path("f.yaml")).value().root.entries[0].value);
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.error().text, StartsWith(path("f.yaml") + ":1:7: a secret in a file of mode 0"));
  }
}

}  // namespace
}  // namespace mayfly
