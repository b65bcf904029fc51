// The control segment where the operating system says no, and where its bytes are well sealed nonsense.
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>

#include "shm/control.h"
#include "shm/control_layout.h"
#include "tests/shm/failing_calls.h"
#include "tests/shm/temp_directory.h"

namespace mayfly::shm::test {
namespace {

using namespace std::chrono_literals;

class StandingClocks final : public Clocks {
 public:
  std::uint64_t wall_ns() const override { return 1; }
  std::uint64_t boot_ns() const override { return 2; }
  std::uint64_t mono_ns() const override { return 3; }
};

class ControlEdgesTest : public testing::Test {
 protected:
  ControlOptions options() const {
    ControlOptions o;
    o.path = path_;
    o.lock_wait = 20ms;
    return o;
  }
  std::unique_ptr<ControlWriter> open() {
    auto writer = ControlWriter::open(options());
    EXPECT_TRUE(writer.ok()) << writer.error().text;
    return std::move(writer.value());
  }
  void expect_error(Errc code, const std::string& text) {
    const auto writer = ControlWriter::open(options());
    ASSERT_FALSE(writer.ok());
    EXPECT_EQ(errc_name(writer.error().code), std::string(errc_name(code))) << writer.error().text;
    EXPECT_NE(writer.error().text.find(text), std::string::npos) << writer.error().text;
  }
  static Rules one_rule() {
    Rules rules;
    rules.version = "v";
    rules.rules.emplace_back();
    rules.rules[0].name = "a";
    return rules;
  }
  /// Changes the copy in force (of serial 1), and seals it again if it is not too long for that.
  void edit_copy(const std::function<void(ControlCopy&)>& edit) const {
    std::string bytes = read_file(path_);
    auto& copy = *reinterpret_cast<ControlCopy*>(bytes.data() + sizeof(ControlHeader) + sizeof(ControlCopy));
    edit(copy);
    const std::size_t sealed = offsetof(ControlCopy, rules) +
                               std::min<std::size_t>(copy.rule_count, kMaxRules) * sizeof(ControlRule);
    copy.checksum = XXH3_64bits(reinterpret_cast<const char*>(&copy) + 8, sealed - 8);
    scribble(path_, 0, bytes);
  }
  void edit_header(const std::function<void(HeaderConstants&)>& edit) const {
    std::string bytes = read_file(path_);
    auto& constants = *reinterpret_cast<HeaderConstants*>(bytes.data());
    edit(constants);
    constants.checksum = XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
    scribble(path_, 0, bytes);
  }

  TempDirectory directory_;
  std::string path_ = directory_ / "control";
};

TEST_F(ControlEdgesTest, ADirectoryThatIsNotTrustedIsRefused) {
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  expect_error(Errc::untrusted, "writable for everybody");
}

TEST_F(ControlEdgesTest, WhatTheSystemRefusesIsSaidSo) {
  {
    const Failing failing(Call::fcntl, ENOLCK);
    expect_error(Errc::io, "locking");
  }
  {
    const Failing failing(Call::posix_fallocate, ENOSPC);
    expect_error(Errc::no_space, "no room");
  }
  open();
  {
    const Failing failing(Call::fstat, EIO);
    expect_error(Errc::io, "looking at");
  }
  EXPECT_FALSE(open()->created()) << "it was not moved aside for that";
  write_file(path_, "short");
  const Failing failing(Call::rename, EACCES);
  expect_error(Errc::io, "moving aside");
}

TEST_F(ControlEdgesTest, SealedNonsenseIsDamage) {
  { ASSERT_TRUE(open()->publish(one_rule()).ok()); }
  const std::string good = read_file(path_);
  const std::function<void(ControlCopy&)> edits[] = {
      [](ControlCopy& copy) { copy.rules[0].name_bytes = 0; },
      [](ControlCopy& copy) { copy.rules[0].name_bytes = kMaxNameBytes + 1; },
      [](ControlCopy& copy) { copy.rules[0].kind = 0; },
      [](ControlCopy& copy) { copy.rules[0].kind = 3; },
      [](ControlCopy& copy) { copy.rule_count = kMaxRules + 1; },
      [](ControlCopy& copy) { copy.version_bytes = kMaxVersionBytes + 1; },
  };
  for (std::size_t i = 0; i < std::size(edits); ++i) {
    SCOPED_TRACE(i);
    write_file(path_, good);
    edit_copy(edits[i]);
    auto reader = ControlReader::open(path_);
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ(reader.value()->state().error().code, Errc::corrupt);
    EXPECT_FALSE(open()->set_aside().empty());
  }
}

TEST_F(ControlEdgesTest, AnotherLayoutOfTheSameVersionIsNotRead) {
  open();
  edit_header([](HeaderConstants& c) { ++c.layout_hash; });
  EXPECT_EQ(ControlReader::open(path_).error().code, Errc::wrong_version);
  edit_header([](HeaderConstants& c) { --c.layout_hash, ++c.layout_version; });
  EXPECT_EQ(ControlReader::open(path_).error().code, Errc::wrong_version);
  edit_header([](HeaderConstants& c) { --c.layout_version, c.total_bytes += 4096; });
  EXPECT_EQ(ControlReader::open(path_).error().code, Errc::corrupt);
}

TEST_F(ControlEdgesTest, AWriterOfDamagedRulesHasNone) {
  auto writer = open();
  ASSERT_TRUE(writer->publish(one_rule()).ok());
  const std::uint64_t instance = writer->state().instance;
  edit_copy([](ControlCopy& copy) { copy.rules[0].kind = 3; });
  const ControlState state = writer->state();
  EXPECT_EQ(state.instance, instance);
  EXPECT_EQ(state.serial, 0u);
  EXPECT_FALSE(state.rules.has_value());
}

TEST_F(ControlEdgesTest, WaitingAndHeartbeatsAreSeenByReaders) {
  const StandingClocks clocks;
  ControlOptions o = options();
  o.clocks = &clocks;
  auto writer = std::move(ControlWriter::open(o).value());
  auto reader = std::move(ControlReader::open(path_).value());
  EXPECT_EQ(reader->heartbeat_mono_ns(), 0u);
  writer->heartbeat();
  EXPECT_EQ(reader->heartbeat_mono_ns(), 3u);
  EXPECT_FALSE(reader->waiting());
  writer->set_waiting(true);
  EXPECT_TRUE(reader->waiting());
  writer->set_waiting(false);
  EXPECT_FALSE(reader->waiting());
  EXPECT_FALSE(writer->torn());
  ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
  EXPECT_TRUE(writer->torn());
}

// Whoever compares rules to see whether something changed must see every change.
TEST(Rules, DifferWhereAnyOfTheirPartsDiffers) {
  const Rule rule{};
  EXPECT_TRUE(rule == Rule{});
  const std::function<void(Rule&)> changes[] = {
      [](Rule& r) { r.kind = Kind::status; },
      [](Rule& r) { r.pattern = true; },
      [](Rule& r) { r.name = "b"; },
      [](Rule& r) { ++r.max_directories; },
      [](Rule& r) { ++r.birth; },
      [](Rule& r) { ++r.quotas.max_keys; },
      [](Rule& r) { ++r.quotas.max_key_bytes; },
      [](Rule& r) { ++r.quotas.max_value_bytes; },
      [](Rule& r) { ++r.quotas.max_total_bytes; },
      [](Rule& r) { ++r.quotas.max_bytes_per_key; },
      [](Rule& r) { ++r.quotas.max_events_per_key; },
      [](Rule& r) { ++r.quotas.max_age_seconds; },
      [](Rule& r) { ++r.quotas.reserve_bytes; },
      [](Rule& r) { ++r.quotas.stale_after_seconds; },
      [](Rule& r) { r.quotas.drop_when_keys_full = true; },
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    Rule other = rule;
    changes[i](other);
    EXPECT_FALSE(rule == other) << i;
    EXPECT_FALSE(Rules({"v", false, {rule}}) == Rules({"v", false, {other}})) << i;
  }
  const Rules rules{"v", false, {rule}};
  EXPECT_TRUE(rules == Rules({"v", false, {rule}}));
  EXPECT_FALSE(rules == Rules({"w", false, {rule}}));
  EXPECT_FALSE(rules == Rules({"v", true, {rule}}));
  EXPECT_FALSE(rules == Rules({"v", false, {}}));
}

}  // namespace
}  // namespace mayfly::shm::test
