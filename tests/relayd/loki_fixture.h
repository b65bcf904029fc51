// A segment with known entries, and Loki's API over it.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/text.h"
#include "tests/relayd/tunnel_fixture.h"

namespace mayfly::relayd {

/// One line as it was written, or as an answer has it.
struct LogLine {
  std::uint64_t time_ns = 0;
  std::string directory;
  std::string key;
  std::string text;

  friend auto operator<=>(const LogLine&, const LogLine&) = default;
  friend std::ostream& operator<<(std::ostream& out, const LogLine& line) {
    return out << line.time_ns << " " << line.directory << "/" << line.key << " " << line.text;
  }
};
using LogLines = std::vector<LogLine>;

class LokiFixture : public TunnelFixture {
 protected:
  static constexpr std::uint64_t kSecond = 1'000'000'000;

  void SetUp() override {
    start_writer();
    base_ns_ = shm::system_clocks().wall_ns() / kSecond * kSecond - 600 * kSecond;
    start_api();
  }
  /// Committed with that receipt time.
  void put_at(shm::DirectoryId directory, std::uint64_t time_ns, std::string_view key,
              std::string_view value) {
    ASSERT_TRUE(worker_->begin(directory, {time_ns, shm::system_clocks().boot_ns()}));
    const shm::Verdict verdict = worker_->append(key, value);
    worker_->commit();
    writer_->wake_readers();
    ASSERT_TRUE(verdict.stored);
    ASSERT_EQ(verdict.time_ns, time_ns);
  }
  /// A path with a query's parameters, percent-encoded.
  static std::string target(const std::string& path,
                            const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string out = "/loki/api/v1/" + path;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      out += (i == 0 ? "?" : "&") + percent_encode(fields[i].first) + "=" + percent_encode(fields[i].second);
    }
    return out;
  }
  static std::string ns(std::uint64_t time_ns) { return std::to_string(time_ns); }
  nlohmann::ordered_json ask_json(const std::string& path,
                                  const std::vector<std::pair<std::string, std::string>>& fields,
                                  const HttpHeaders& headers = {}) {
    const auto answer = ask(target(path, fields), headers);
    EXPECT_EQ(answer->status(), 200) << answer->body();
    if (answer->status() != 200) return {};
    return nlohmann::ordered_json::parse(answer->body());
  }
  /// The lines of an answer's (or a message's) streams, in the order of time.
  static LogLines lines_of(const nlohmann::ordered_json& streams) {
    LogLines lines;
    for (const auto& stream : streams) {
      for (const auto& value : stream["values"]) {
        lines.push_back({std::stoull(value[0].get<std::string>()), stream["stream"].value("directory", ""),
                         stream["stream"].value("key", ""), value[1]});
      }
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  std::uint64_t base_ns_ = 0;  // ten minutes ago
};

}  // namespace mayfly::relayd
