// Queries from anybody: whatever parses comes back from its own text, and can be bound and matched.
#include "common/form_fields.h"
#include "common/logql_bind.h"
#include "common/logql_labels.h"
#include "common/loki_request.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::query {

bool names_depth(const std::string& error) {
  return error.find("too deeply") != std::string::npos || error.find("in a row") != std::string::npos;
}

void run(std::string_view bytes) {
  static_cast<void>(logql::detect_level(bytes));
  HttpRequest request;
  request.query = bytes;
  if (const auto fields = FormFields::of(request); fields.ok()) {
    constexpr std::uint64_t kNow = 1'700'000'000'000'000'000;
    static_cast<void>(loki::read_question(request, fields.value(), false, kNow));
    static_cast<void>(loki::read_tail_question(fields.value(), kNow));
    static_cast<void>(loki::read_volume_question(fields.value(), true, kNow));
  }
  const auto query = logql::parse(bytes);
  if (!query.ok()) {
    require(query.error().text.starts_with("parse error"), "an error says so");
    return;
  }
  const std::string text = logql::to_text(query.value());
  const auto again = logql::parse(text);
  // Printed with all its parentheses, it may be longer and deeper than a query may be.
  if (!again.ok() && (text.size() > logql::kMaxQueryBytes || names_depth(again.error().text))) return;
  require(again.ok() && logql::to_text(again.value()) == text, "a query comes back from its text");
  if (const auto* log = std::get_if<logql::LogQuery>(&query.value())) {
    static_cast<void>(logql::line_passes(log->stages, bytes));
    static_cast<void>(logql::label_stages(log->stages, {{"kind", "log"}, {"key", "k"}}));
    if (const auto bound = logql::bind_label(*log, "kind", "log")) {
      const auto left_over = logql::parse(logql::to_text(bound->query));
      require(left_over.ok() || names_depth(left_over.error().text), "what is left over is a query");
    }
  }
}

}  // namespace mayfly::fuzz::query

MAYFLY_FUZZ_TARGET(logql, mayfly::fuzz::query::run)
