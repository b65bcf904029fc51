#include "hubd/quota_endpoint.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/text.h"
#include "common/tripcode.h"
#include "common/units.h"

namespace mayfly::hubd {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Whether an If-None-Match names this ETag, or any.
bool names_etag(std::string_view header, std::string_view etag) {
  while (!header.empty()) {
    const std::size_t comma = std::min(header.find(','), header.size());
    std::string_view one = trim(header.substr(0, comma));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == etag || one == "*") return true;
    header.remove_prefix(std::min(comma + 1, header.size()));
  }
  return false;
}

/// The seconds that `wait=` asks for; 0 where it does not. Nothing: not a number, or given twice.
std::optional<std::uint64_t> wait_seconds(std::string_view query) {
  std::optional<std::uint64_t> seconds;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (!parameter.starts_with("wait=")) continue;
    const shm::Result<std::uint64_t> parsed = parse_integer(parameter.substr(5));
    if (seconds || !parsed.ok()) return {};
    seconds = parsed.value();
  }
  return seconds.value_or(0);
}

}  // namespace

QuotaEndpoint::QuotaEndpoint(uv_loop_t* loop, HubMetrics& metrics)
    : loop_(loop),
      metrics_(metrics),
      parked_(loop, [this](ParkedPoll poll) { answer_not_modified(*poll.response, poll.etag); }) {}

void QuotaEndpoint::set_book(std::shared_ptr<const QuotaBook> book) {
  book_ = std::move(book);
  const auto is_due = [&](const ParkedPoll& poll) {
    const QuotaDocumentPtr document = book_->find(poll.server, poll.key_hash);
    return !document || document->etag != poll.etag;
  };
  parked_.release(is_due, [&](ParkedPoll poll) {
    if (const QuotaDocumentPtr document = book_->find(poll.server, poll.key_hash)) {
      answer_document(*poll.response, *document);
    } else {
      problem(*poll.response, 401, "bad_key", "this key is no longer that of a server known here");
    }
  });
}

void QuotaEndpoint::handle(const HttpRequest& request, ResponseWriterPtr response) {
  if (request.method != "GET" && request.method != "HEAD") {
    return problem(*response, 405, "method_not_allowed", "quotas are only read", {{"Allow", "GET, HEAD"}});
  }
  const std::optional<std::string> server =
      percent_decode(std::string_view(request.path).substr(kPrefix.size()));
  if (!server || !shm::valid_directory_name(*server)) {
    return problem(*response, 404, "not_found", "no such resource");
  }
  if (!check_tries(request, *server, *response)) return;
  const std::string* key = request.header("x-apikey");
  const Blake3Hash key_hash = blake3(key != nullptr ? *key : std::string());
  const QuotaDocumentPtr document = book_->find(*server, key_hash);
  if (key == nullptr || !document) return refuse_key(request, *server, *response);

  const std::optional<std::uint64_t> wait = wait_seconds(request.query);
  if (!wait) return problem(*response, 400, "bad_parameter", "wait is a whole number of seconds");
  const std::string* known = request.header("if-none-match");
  if (known == nullptr || !names_etag(*known, document->etag)) return answer_document(*response, *document);
  if (*wait == 0 || request.is_head()) return answer_not_modified(*response, document->etag);
  const std::chrono::seconds bounded(std::min(*wait, static_cast<std::uint64_t>(kMaxWait.count())));
  if (!parked_.park({*server, key_hash, document->etag, response}, bounded)) {
    problem(*response, 429, "too_many_polls", "too many requests of this server wait already",
            {{"Retry-After", "5"}});
  }
}

bool QuotaEndpoint::check_tries(const HttpRequest& request, const std::string& server,
                                ResponseWriter& response) {
  // Names that nobody has are counted in the same way, so that the answers do not tell which exist.
  if (failed_keys_.may_try(FailedKeys::address_of(request.peer), server, uv_now(loop_))) return true;
  ++metrics_.rate_limited;
  problem(response, 429, "too_many_tries", "too many wrong keys from this address", {{"Retry-After", "2"}});
  return false;
}

void QuotaEndpoint::refuse_key(const HttpRequest& request, const std::string& server,
                               ResponseWriter& response) {
  ++metrics_.wrong_keys;
  failed_keys_.failed(FailedKeys::address_of(request.peer), server, uv_now(loop_));
  problem(response, 401, "bad_key", "X-ApiKey is not the key of a server of this name",
          {{"WWW-Authenticate", "X-ApiKey"}});
}

void QuotaEndpoint::answer_not_modified(ResponseWriter& response, const std::string& etag) {
  ++metrics_.answers[304];
  response.send(304, {{"ETag", etag}, {"Cache-Control", "no-store"}}, "");
}

void QuotaEndpoint::answer_document(ResponseWriter& response, const QuotaDocument& document) {
  ++metrics_.answers[200];
  response.send(200,
                {{"Content-Type", "application/json"},
                 {"ETag", document.etag},
                 {"Cache-Control", "no-store"},
                 {"X-Content-Type-Options", "nosniff"}},
                document.body);
}

void QuotaEndpoint::problem(ResponseWriter& response, int status, std::string_view code,
                            std::string_view detail, HttpHeaders more) {
  ++metrics_.answers[status];
  send_problem(response, status, code, detail, std::move(more));
}

}  // namespace mayfly::hubd
