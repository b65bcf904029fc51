// A real segment in memory, written here, and a real relay that reads it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "common/runtime_dir.h"
#include "relayd/relay.h"
#include "shm/control.h"
#include "shm/writer.h"
#include "tests/common/http_test_client.h"
#include "tests/common/loop_thread.h"

namespace mayfly::relayd {

class RelayFixture : public ::testing::Test {
 protected:
  RelayFixture() : paths_(make_directory()) { std::filesystem::create_directories(paths_.segments); }
  ~RelayFixture() override {
    stop_relay();
    writer_.reset();
    std::filesystem::remove_all(paths_.directory);
  }

  /// Opens the segment for writing, or a new one in its place.
  void start_writer(std::uint64_t bytes = 16 << 20) {
    shm::WriterOptions options;
    options.path = paths_.data;
    options.bytes = bytes;
    auto opened = shm::Writer::open(options);
    ASSERT_TRUE(opened.ok()) << opened.error().text;
    writer_ = std::move(opened.value());
    worker_.emplace(writer_->worker(0));
  }
  void stop_writer() {
    worker_.reset();
    writer_.reset();
  }
  static shm::Now now() { return {shm::system_clocks().wall_ns(), shm::system_clocks().boot_ns()}; }
  shm::DirectoryId open(shm::Kind kind, const std::string& name, const shm::Quotas& quotas = {}) {
    shm::DirectorySpec spec;
    spec.kind = kind;
    spec.name = name;
    spec.quotas = quotas;
    auto opened = writer_->open_directory(*worker_, spec, now());
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().text);
    return opened.ok() ? opened.value() : 0;
  }
  /// One committed record.
  shm::Verdict put(shm::DirectoryId directory, std::string_view key, std::string_view value) {
    EXPECT_TRUE(worker_->begin(directory, now()));
    const shm::Verdict verdict = worker_->append(key, value);
    worker_->commit();
    writer_->wake_readers();
    return verdict;
  }
  /// Numbered records "line 1" .. "line n" of one key, committed in batches.
  void put_many(shm::DirectoryId directory, const std::string& key, std::uint64_t first, std::uint64_t count,
                const std::string& padding = {}) {
    for (std::uint64_t i = first; i < first + count;) {
      EXPECT_TRUE(worker_->begin(directory, now()));
      for (int n = 0; n < 100 && i < first + count; ++n, ++i) {
        EXPECT_TRUE(worker_->append(key, "line " + std::to_string(i) + padding).stored);
      }
      worker_->commit();
    }
    writer_->wake_readers();
  }

  /// What a hub would have said before the relay starts.
  void publish(const shm::Rules& rules) {
    shm::ControlOptions options;
    options.path = paths_.control;
    auto control = shm::ControlWriter::open(options);
    ASSERT_TRUE(control.ok()) << control.error().text;
    ASSERT_TRUE(control.value()->publish(rules).ok());
  }
  void start_relay(const RelayConfig& wish = {}) {
    RelayOptions options{paths_, wish, {}, {}, nullptr, true};
    options.config.listen = RelayAddress{"127.0.0.1", 0};
    thread_.call([&] {
      auto started = Relay::start(thread_.loop(), options);
      ASSERT_TRUE(started.ok()) << started.error().text;
      relay_ = std::move(started.value());
      const std::string& address = relay_->address();
      port_ = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
    });
  }
  void stop_relay() {
    thread_.call([&] { relay_.reset(); });
  }
  test::TestAnswer get(const std::string& target, const std::string& headers = {}) {
    return test::http_get(port_, target, headers);
  }

  RuntimePaths paths_;
  test::LoopThread thread_;
  std::unique_ptr<shm::Writer> writer_;
  std::optional<shm::Worker> worker_;
  std::unique_ptr<Relay> relay_;
  std::uint16_t port_ = 0;

 private:
  static std::string make_directory() {
    char directory[] = "/dev/shm/mayfly-relayd-test-XXXXXX";
    return mkdtemp(directory);
  }
};

}  // namespace mayfly::relayd
