// What a reader of Loki's HTTP API asks: paths and parameters, with Loki's defaults and its errors.
// The same for one host (relayd) and for all of them (hubd). Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/form_fields.h"
#include "common/http_message.h"
#include "common/logql.h"
#include "common/logql_series.h"

namespace mayfly::loki {

inline constexpr std::string_view kRoot = "/loki/api/v1/";
inline constexpr std::uint64_t kDefaultEntries = 100;
inline constexpr std::uint64_t kMaxEntries = 5000;  // in one answer, as Loki
/// The version of Loki whose API this is: Grafana asks for it.
inline constexpr std::string_view kApiVersion = "3.0.0";

enum class Endpoint {
  none,
  labels,
  label_values,
  series,
  query,
  query_range,
  index_stats,
  volume,
  volume_range,
  tail,
  buildinfo,
  format_query
};

struct Target {
  Endpoint endpoint = Endpoint::none;
  std::string label;  // of label_values
};

/// True for paths below kRoot.
bool is_loki_path(std::string_view path);
/// `path` percent-encoded, with or without `;name=value` at its end.
Target find_target(std::string_view path);

/// Times: start <= t < end, wall clock, up to logql::kMaxTimeNs.
struct Span {
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
};

/// Of `start`, `end` and `since`. Without a start: `default_age_ns` before the end (or now, where the
/// end is in the future). Errors (invalid), as all below: what Loki says.
shm::Result<Span> read_span(const FormFields& fields, std::uint64_t now_ns, std::uint64_t default_age_ns);
/// For labels, series and index: what is told of the last six hours unless asked otherwise.
inline constexpr std::uint64_t kListingAgeNs = 6ull * 3600 * 1'000'000'000;

/// Of `limit`; 1 to `most`.
shm::Result<std::uint64_t> read_limit(const FormFields& fields, std::uint64_t most);

/// A timestamp: a number with a point is seconds, one of up to ten digits too, else nanoseconds; or
/// RFC 3339.
shm::Result<std::uint64_t> parse_timestamp(const std::string& text);

/// What `query` and `query_range` ask.
struct Question {
  logql::Query query;
  bool instant = false;
  // Log queries:
  Span span;
  std::uint64_t limit = kDefaultEntries;
  bool forward = false;
  std::uint64_t interval_ns = 0;  // 0: every entry
  bool categorize = false;        // labels that are not of the stream stand apart
  // Metric queries:
  logql::Grid grid;
};

shm::Result<Question> read_question(const HttpRequest& request, const FormFields& fields, bool instant,
                                    std::uint64_t now_ns);

/// What `tail` asks.
struct TailQuestion {
  logql::LogQuery query;
  std::uint64_t start_ns = 0;
  std::uint64_t limit = kDefaultEntries;  // entries from before; 0 is allowed
  std::uint64_t delay_ns = 0;             // up to 5 s
};

shm::Result<TailQuestion> read_tail_question(const FormFields& fields, std::uint64_t now_ns);

/// What `labels`, `label/{name}/values`, `series`, `index/stats` ask.
struct ListingQuestion {
  std::vector<std::vector<logql::LabelMatcher>> selectors;  // any of them; none: everything
  Span span;
};

/// `parameter`: "query" or "match[]".
shm::Result<ListingQuestion> read_listing_question(const FormFields& fields, std::string_view parameter,
                                                   std::uint64_t now_ns);

/// What `index/volume` and `index/volume_range` ask.
struct VolumeQuestion {
  std::vector<logql::LabelMatcher> selector;
  Span span;
  logql::Grid grid;  // of volume_range
  std::uint64_t limit = kDefaultEntries;
  std::vector<std::string> labels;  // to aggregate by
  bool by_name = false;             // aggregateBy=labels: names of labels alone
};

shm::Result<VolumeQuestion> read_volume_question(const FormFields& fields, bool ranged, std::uint64_t now_ns);

}  // namespace mayfly::loki
