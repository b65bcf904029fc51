#include "relayd/record_query.h"

#include <algorithm>

#include "common/text.h"

namespace mayfly::relayd {
namespace {

constexpr std::uint64_t kShortChain = 256;  // records: some 50 us
constexpr std::uint64_t kShortChainBytes = 1 << 20;

shm::Error invalid_query(const std::string& text) { return {shm::Errc::invalid, text}; }

shm::Result<std::shared_ptr<const re2::RE2>> compile(const std::string& pattern) {
  re2::RE2::Options options;
  options.set_max_mem(kPatternMemoryBytes);
  options.set_log_errors(false);
  // Stored lines are bytes: a pattern that is not UTF-8 is taken byte by byte.
  if (!is_utf8(pattern)) options.set_encoding(re2::RE2::Options::EncodingLatin1);
  auto compiled = std::make_shared<const re2::RE2>(pattern, options);
  if (!compiled->ok()) return invalid_query("grep: " + compiled->error());
  return std::shared_ptr<const re2::RE2>(std::move(compiled));
}

}  // namespace

bool RecordQuery::matches(const shm::RecordView& record) const {
  if (key && record.key != *key) return false;
  if (since_ns && record.time_ns < *since_ns) return false;
  if (until_ns && record.time_ns >= *until_ns) return false;
  return !grep || re2::RE2::PartialMatch(re2::StringPiece(record.value.data(), record.value.size()), *grep);
}

shm::RecordFilter filter_of(const RecordQuery& query) {
  if (!query.has_filter()) return nullptr;
  return [&query](const shm::RecordView& record) { return query.matches(record); };
}

bool is_short_chain(const RecordQuery& query, const shm::DirectoryInfo& directory) {
  if (!query.is_key_only() || !query.last || *query.last > kShortChain) return false;
  const std::uint64_t value_bytes = std::min(directory.quotas.max_value_bytes, kShortChainBytes);
  const std::uint64_t key_bytes = std::min(directory.quotas.max_key_bytes, kShortChainBytes);
  return *query.last * (key_bytes + value_bytes) <= kShortChainBytes;
}

shm::Result<RecordQuery> parse_record_query(const RequestTarget& target, std::size_t key_index,
                                            std::uint64_t now_ns) {
  RecordQuery query;
  auto key = requested_key(target, key_index);
  if (!key.ok()) return key.error();
  query.key = std::move(key.value());
  if (const std::string* text = target.parameter("last")) {
    query.last = parse_u64(*text);
    if (!query.last) return invalid_query("last is not a number of records");
  }
  if (const std::string* text = target.parameter("since")) {
    const auto point = parse_point_in_time(*text, now_ns);
    if (!point.ok()) return point.error().in("since");
    query.since_ns = point.value();
  }
  if (const std::string* text = target.parameter("until")) {
    const auto point = parse_point_in_time(*text, now_ns);
    if (!point.ok()) return point.error().in("until");
    query.until_ns = point.value();
  }
  if (const std::string* text = target.parameter("grep")) {
    auto compiled = compile(*text);
    if (!compiled.ok()) return compiled.error();
    query.grep = std::move(compiled.value());
  }
  return query;
}

}  // namespace mayfly::relayd
