#include "hubd/search_query.h"

#include <re2/re2.h>
#include <time.h>

#include "common/text.h"
#include "hubd/query_parameters.h"

namespace mayfly::hubd {
namespace {

shm::Error bad_search(const std::string& text) { return {shm::Errc::invalid, text}; }

/// The time that a parameter gives, as text. Errors: invalid.
shm::Result<std::string> checked_time(const QueryParameters& parameters, std::string_view name) {
  const std::string* text = parameters.find(name);
  if (text == nullptr) return std::string();
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto time = parse_point_in_time(*text, static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000);
  if (!time.ok()) return bad_search(std::string(name) + ": " + time.error().text);
  return *text;
}

}  // namespace

std::string SearchQuery::for_host() const {
  std::string out = "grep=" + percent_encode(pattern) + "&last=" + std::to_string(limit);
  if (!since.empty()) out += "&since=" + percent_encode(since);
  if (!until.empty()) out += "&until=" + percent_encode(until);
  return out;
}

shm::Result<SearchQuery> parse_search_query(std::string_view query) {
  const auto parameters = QueryParameters::parse(query);
  if (!parameters.ok()) return parameters.error();
  SearchQuery out;
  const std::string* pattern = parameters.value().find("q");
  if (pattern == nullptr || pattern->empty()) return bad_search("q, the pattern, is missing");
  if (pattern->size() > SearchQuery::kMaxPatternBytes) return bad_search("q is too long");
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 compiled(*pattern, options);
  if (!compiled.ok()) return bad_search("q: " + compiled.error());
  out.pattern = *pattern;
  if (const std::string* limit = parameters.value().find("limit")) {
    const auto number = parse_u64(*limit);
    if (!number || *number == 0 || *number > SearchQuery::kMaxLimit) {
      return bad_search("limit is a number from 1 to " + std::to_string(SearchQuery::kMaxLimit));
    }
    out.limit = static_cast<std::size_t>(*number);
  }
  auto since = checked_time(parameters.value(), "since");
  if (!since.ok()) return since.error();
  auto until = checked_time(parameters.value(), "until");
  if (!until.ok()) return until.error();
  out.since = std::move(since.value());
  out.until = std::move(until.value());
  if (const std::string* server = parameters.value().find("server")) out.server = *server;
  if (const std::string* directory = parameters.value().find("directory")) out.directory = *directory;
  return out;
}

}  // namespace mayfly::hubd
