// The framing table (tests/data/framing.json) against a server: every row is refused, and what
// follows it on the connection is never seen. tests/e2e/framing_test.py runs it against the programs.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/common/http_server_fixture.h"

namespace mayfly {
namespace {

using test::TestAnswer;
using test::TestConnection;

constexpr std::size_t kFewestRows = 50;
constexpr char kSmuggled[] = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct FramingRow {
  std::string name;
  std::string bytes;
  std::vector<int> statuses;
  bool in_body = false;
};

/// One byte a character: the table has no others.
std::string latin1(const std::string& utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    out += byte < 0x80 ? utf8[i]
                       : static_cast<char>((byte & 3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
  }
  return out;
}

std::vector<FramingRow> read_table() {
  std::ifstream file(MAYFLY_TEST_DATA "/framing.json");
  const auto table = nlohmann::json::parse(file);
  std::vector<FramingRow> rows;
  for (const auto& entry : table.at("rows")) {
    FramingRow row{entry.at("name"), {}, entry.at("status"), entry.value("in_body", false)};
    for (const auto& part : entry.at("send")) {
      const int times = part.is_object() ? part.at("times").get<int>() : 1;
      const std::string text = latin1(part.is_object() ? part.at("repeat") : part);
      for (int i = 0; i < times; ++i) row.bytes += text;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

class FramingTest : public test::HttpServerFixture {
 protected:
  void serve_all(bool streaming) {
    HttpServerOptions options;
    if (streaming) options.streams_body = [](const HttpRequest&) { return true; };
    serve(
        [this](HttpRequest request, ResponseWriterPtr response) {
          ++requests_;
          if (request.path != "/") ++smuggled_;
          if (!request.body_reader) return response->send(200, {}, "");
          request.body_reader->read([](std::string_view) {},
                                    [this, response](bool complete) {
                                      if (complete) ++complete_bodies_;
                                      response->send(200, {}, "");
                                    });
        },
        options);
  }

  /// Sends a row and a good request behind it; `step` bytes at a time, 0: all at once.
  void run(const FramingRow& row, std::size_t step, int expected_requests) {
    SCOPED_TRACE(row.name + ", step " + std::to_string(step));
    requests_ = 0;
    TestConnection connection(port_);
    const std::string bytes = row.bytes + kSmuggled;
    if (step == 0) step = bytes.size();
    for (std::size_t i = 0; i < bytes.size() && connection.send(std::string_view(bytes).substr(i, step));
         i += step) {
    }
    const TestAnswer answer = connection.read_answer();
    EXPECT_EQ(std::count(row.statuses.begin(), row.statuses.end(), answer.status), 1)
        << answer.status << answer.body;
    EXPECT_TRUE(connection.read_to_end());
    EXPECT_EQ(connection.received(), "") << "a second answer";
    EXPECT_EQ(requests_, expected_requests);
  }

  std::atomic<int> requests_ = 0;
  std::atomic<int> smuggled_ = 0;
  std::atomic<int> complete_bodies_ = 0;
};

TEST_F(FramingTest, EveryRowIsRefused) {
  const auto rows = read_table();
  ASSERT_GE(rows.size(), kFewestRows);
  serve_all(false);
  for (const auto& row : rows) run(row, 0, 0);
  EXPECT_EQ(counts().requests, 0u);
  EXPECT_EQ(counts().refused_requests, rows.size());
}

TEST_F(FramingTest, EveryRowIsRefusedByteByByte) {
  serve_all(false);
  for (const auto& row : read_table()) {
    if (row.bytes.size() < 1000) run(row, 1, 0);
  }
  EXPECT_EQ(counts().requests, 0u);
}

TEST_F(FramingTest, BodiesThatAreHandedOnAreNoneComplete) {
  serve_all(true);
  for (const auto& row : read_table()) {
    if (row.statuses != std::vector<int>{413})
      run(row, 0, row.in_body ? 1 : 0);  // streamed bodies have no limit
  }
  EXPECT_EQ(smuggled_, 0);
  EXPECT_EQ(complete_bodies_, 0);
}

}  // namespace
}  // namespace mayfly
