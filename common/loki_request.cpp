#include "common/loki_request.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/logql_lexer.h"
#include "common/text.h"

namespace mayfly::loki {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kHourNs = 3600 * kSecondNs;
constexpr std::uint64_t kMaxTailDelayNs = 5 * kSecondNs;
constexpr std::string_view kCategorize = "categorize-labels";
constexpr auto kLastTimeNs = static_cast<std::uint64_t>(logql::kMaxTimeNs);

shm::Error bad(const std::string& text) { return {shm::Errc::invalid, text}; }

/// Seconds, of which the fraction may have any length.
std::optional<double> parse_seconds(const std::string& text) {
  double seconds = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || stopped != end || !std::isfinite(seconds)) return std::nullopt;
  return seconds;
}

/// "15s", "1m30s", or seconds: "0.5". Errors: neither, or negative.
shm::Result<std::uint64_t> parse_span_of_time(const std::string& text) {
  if (const auto seconds = parse_seconds(text)) {
    if (*seconds < 0 || *seconds > 1e9)
      return bad("cannot parse " + logql::quote(text) + " to a valid duration");
    return static_cast<std::uint64_t>(std::llround(*seconds * 1e9));
  }
  const auto duration = logql::parse_duration(text);
  if (!duration || *duration > logql::kMaxRangeNs) {
    return bad("cannot parse " + logql::quote(text) + " to a valid duration");
  }
  return static_cast<std::uint64_t>(*duration);
}

const std::string* given(const FormFields& fields, std::string_view name) {
  const std::string* value = fields.get(name);
  return value != nullptr && !value->empty() ? value : nullptr;
}

shm::Result<std::uint64_t> read_time(const FormFields& fields, std::string_view name,
                                     std::uint64_t otherwise) {
  const std::string* text = given(fields, name);
  if (text == nullptr) return otherwise;
  return parse_timestamp(*text);
}

shm::Result<std::uint64_t> read_duration(const FormFields& fields, std::string_view name,
                                         std::uint64_t otherwise) {
  const std::string* text = given(fields, name);
  if (text == nullptr) return otherwise;
  return parse_span_of_time(*text);
}

/// Fine enough for a screen: 250 points, but not below a second.
std::uint64_t default_step_ns(const Span& span) {
  return std::max<std::uint64_t>((span.end_ns - span.start_ns) / kSecondNs / 250, 1) * kSecondNs;
}

shm::Result<logql::Grid> read_grid(const FormFields& fields, const Span& span) {
  const auto step = read_duration(fields, "step", default_step_ns(span));
  if (!step.ok()) return step.error();
  if (step.value() == 0) {
    return bad("zero or negative query resolution step widths are not accepted. Try a positive integer");
  }
  return logql::make_grid(static_cast<std::int64_t>(span.start_ns), static_cast<std::int64_t>(span.end_ns),
                          static_cast<std::int64_t>(step.value()));
}

shm::Result<bool> read_forward(const FormFields& fields) {
  const std::string* text = given(fields, "direction");
  if (text == nullptr) return false;
  std::string lower = *text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); });
  if (lower == "forward") return true;
  if (lower == "backward") return false;
  return bad("invalid direction " + logql::quote(*text));
}

std::string query_text(const FormFields& fields) {
  const std::string* text = fields.get("query");
  return text != nullptr ? *text : std::string();
}

bool wants_categories(const HttpRequest& request) {
  const std::string* flags = request.header("x-loki-response-encoding-flags");
  return flags != nullptr && flags->find(kCategorize) != std::string::npos;
}

shm::Status read_log_part(const FormFields& fields, Question& question) {
  const auto limit = read_limit(fields, kMaxEntries);
  if (!limit.ok()) return limit.error();
  question.limit = limit.value();
  const auto forward = read_forward(fields);
  if (!forward.ok()) return forward.error();
  question.forward = forward.value();
  const auto interval = read_duration(fields, "interval", 0);
  if (!interval.ok()) return interval.error();
  question.interval_ns = interval.value();
  return {};
}

}  // namespace

shm::Result<std::uint64_t> parse_timestamp(const std::string& text) {
  if (text.find('.') != std::string::npos) {
    const auto seconds = parse_seconds(text);
    // To the microsecond: a double has no more at today's times.
    if (seconds && *seconds >= 0) {
      return *seconds > 4e9
                 ? kLastTimeNs
                 : std::min(kLastTimeNs, static_cast<std::uint64_t>(std::llround(*seconds * 1e6)) * 1000);
    }
  }
  if (const auto number = parse_u64(text)) {
    return std::min(kLastTimeNs, text.size() <= 10 ? *number * kSecondNs : *number);
  }
  if (!text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == std::string::npos) {
    return kLastTimeNs;
  }
  const auto time = parse_time(text);
  if (!time) return bad("cannot parse " + logql::quote(text) + " as a time");
  return std::min(kLastTimeNs, *time);
}

shm::Result<Span> read_span(const FormFields& fields, std::uint64_t now_ns, std::uint64_t default_age_ns) {
  Span span;
  const auto end = read_time(fields, "end", now_ns);
  if (!end.ok()) return end.error().in("end");
  span.end_ns = end.value();
  const auto since = read_duration(fields, "since", default_age_ns);
  if (!since.ok()) return since.error().in("since");
  const std::uint64_t latest = std::min(span.end_ns, now_ns);
  const auto start = read_time(fields, "start", latest - std::min(latest, since.value()));
  if (!start.ok()) return start.error().in("start");
  span.start_ns = start.value();
  if (span.end_ns < span.start_ns) return bad("end timestamp must not be before or equal to start time");
  return span;
}

shm::Result<std::uint64_t> read_limit(const FormFields& fields, std::uint64_t most) {
  const std::string* text = given(fields, "limit");
  if (text == nullptr) return kDefaultEntries;
  const auto limit = parse_u64(*text);
  if (!limit) return bad("limit " + logql::quote(*text) + " is not a number");
  if (*limit == 0) return bad("limit must be a positive value");
  if (*limit > most) {
    return bad("max entries limit per query exceeded, limit > max_entries_limit_per_query (" + *text + " > " +
               std::to_string(most) + ")");
  }
  return *limit;
}

shm::Result<Question> read_question(const HttpRequest& request, const FormFields& fields, bool instant,
                                    std::uint64_t now_ns) {
  Question question;
  auto query = logql::parse(query_text(fields));
  if (!query.ok()) return query.error();
  question.query = std::move(query.value());
  question.instant = instant;
  question.categorize = wants_categories(request);
  if (auto read = read_log_part(fields, question); !read.ok()) return read.error();
  const bool log = std::holds_alternative<logql::LogQuery>(question.query);
  if (instant) {
    if (log) {
      return bad(
          "log queries are not supported as an instant query type, please change your query to a range "
          "query type");
    }
    const auto time = read_time(fields, "time", now_ns);
    if (!time.ok()) return time.error().in("time");
    question.grid.start_ns = static_cast<std::int64_t>(time.value());
    return question;
  }
  const auto span = read_span(fields, now_ns, kHourNs);
  if (!span.ok()) return span.error();
  question.span = span.value();
  if (log) return question;
  const auto grid = read_grid(fields, question.span);
  if (!grid.ok()) return grid.error();
  question.grid = grid.value();
  return question;
}

shm::Result<TailQuestion> read_tail_question(const FormFields& fields, std::uint64_t now_ns) {
  TailQuestion question;
  auto query = logql::parse_log_query(query_text(fields));
  if (!query.ok()) return query.error();
  question.query = std::move(query.value());
  const auto start = read_time(fields, "start", now_ns - std::min(now_ns, kHourNs));
  if (!start.ok()) return start.error().in("start");
  question.start_ns = start.value();
  const std::string* limit = given(fields, "limit");
  if (limit != nullptr && *limit == "0") {
    question.limit = 0;
  } else {
    const auto read = read_limit(fields, kMaxEntries);
    if (!read.ok()) return read.error();
    question.limit = read.value();
  }
  if (const std::string* text = given(fields, "delay_for")) {
    const auto seconds = parse_u64(*text);
    if (!seconds) return bad("delay_for " + logql::quote(*text) + " is not a number of seconds");
    if (*seconds > kMaxTailDelayNs / kSecondNs) return bad("delay_for can't be greater than 5");
    question.delay_ns = *seconds * kSecondNs;
  }
  return question;
}

shm::Result<ListingQuestion> read_listing_question(const FormFields& fields, std::string_view parameter,
                                                   std::uint64_t now_ns) {
  ListingQuestion question;
  for (const std::string& text : fields.all(parameter)) {
    if (text.empty()) continue;
    auto selector = logql::parse_selector(text);
    if (!selector.ok()) return selector.error();
    question.selectors.push_back(std::move(selector.value()));
  }
  const auto span = read_span(fields, now_ns, kListingAgeNs);
  if (!span.ok()) return span.error();
  question.span = span.value();
  return question;
}

shm::Result<VolumeQuestion> read_volume_question(const FormFields& fields, bool ranged,
                                                 std::uint64_t now_ns) {
  VolumeQuestion question;
  auto selector = logql::parse_selector(query_text(fields));
  if (!selector.ok()) return selector.error();
  question.selector = std::move(selector.value());
  const auto span = read_span(fields, now_ns, kHourNs);
  if (!span.ok()) return span.error();
  question.span = span.value();
  const auto limit = read_limit(fields, kMaxEntries);
  if (!limit.ok()) return limit.error();
  question.limit = limit.value();
  if (ranged) {
    const auto grid = read_grid(fields, question.span);
    if (!grid.ok()) return grid.error();
    question.grid = grid.value();
  }
  if (const std::string* by = given(fields, "aggregateBy")) {
    if (*by != "series" && *by != "labels") return bad("invalid aggregateBy option");
    question.by_name = *by == "labels";
  }
  if (const std::string* names = given(fields, "targetLabels")) {
    std::string_view rest = *names;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (comma > 0) question.labels.emplace_back(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  } else {
    for (const auto& matcher : question.selector) question.labels.push_back(matcher.name);
  }
  return question;
}

}  // namespace mayfly::loki
