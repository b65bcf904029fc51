#include "hubd/tunnel_endpoint.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "common/blake3.h"
#include "common/text.h"
#include "common/tunnel_wire.h"
#include "hubd/plain_text.h"

namespace mayfly::hubd {
namespace {

constexpr std::string_view kCannotPost = "Can't POST this\n";
constexpr std::string_view kNoSuchId = "Request ID not found in response_rendezvous\n";
constexpr std::string_view kUnreadable = "Error in relay\n";
constexpr std::size_t kMaxVersionBytes = 64;

std::uint64_t endpoint_wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Whether a list such as "a, scope" names `word`.
bool names_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

PollHeaders read_poll_headers(const HttpRequest& request) {
  PollHeaders headers;
  const std::string* version = request.header("mayfly-version");
  if (version != nullptr) headers.version = escape_control(version->substr(0, kMaxVersionBytes));
  const std::string* features = request.header("mayfly-features");
  headers.takes_scopes = features != nullptr && names_word(*features, "scope");
  return headers;
}

bool announces_body(const HttpRequest& request) {
  const std::string* length = request.header("content-length");
  if (length != nullptr) return *length != "0";
  return request.header("transfer-encoding") != nullptr || !request.body.empty();
}

}  // namespace

void TunnelEndpoint::handle(HttpRequest request, ResponseWriterPtr response) {
  const std::string path = request.path;
  const std::string_view view = path;
  const bool posts = request.method == "POST";
  if (view.starts_with(kTunnelListen)) {
    if (posts) return text(*response, 400, kCannotPost);
    // The answer to a HEAD has no body: what it took from the queue would be lost.
    if (request.is_head()) return text(*response, 400, "Bad request\n");
    return take_poll(request, view.substr(kTunnelListen.size()), std::move(response));
  }
  if (view.starts_with(kTunnelResponse) && posts) {
    return take_answer(std::move(request), view.substr(kTunnelResponse.size()), std::move(response));
  }
  text(*response, posts ? 400 : 404, posts ? kCannotPost : "URL routing failed\n");
}

void TunnelEndpoint::take_poll(const HttpRequest& request, std::string_view server,
                               ResponseWriterPtr response) {
  const std::string* key = request.header("x-apikey");
  if (key == nullptr) {
    ++shared_.counts().polls_refused;
    return text(*response, 403, "Can't run server without an API key\n");
  }
  const std::string address = FailedKeys::address_of(request.peer);
  if (!failed_keys_.may_try(address, server, shared_.deadlines.now_ms())) {
    ++shared_.metrics.rate_limited;
    ++shared_.counts().polls_refused;
    return text(*response, 429, "Too many wrong keys from this address\n", {{"Retry-After", "2"}});
  }
  // Compared as it came, not decoded, as the original.
  const auto link = shared_.links.find(std::string(server));
  const bool known = link != shared_.links.end();
  if (!known || !link->second->has_key(blake3(*key))) {
    return refuse_poll(request, server, *key, known, *response);
  }
  link->second->park(std::move(response), read_poll_headers(request));
}

void TunnelEndpoint::refuse_poll(const HttpRequest& request, std::string_view server, const std::string& key,
                                 bool known, ResponseWriter& response) {
  const std::string address = FailedKeys::address_of(request.peer);
  ++shared_.metrics.wrong_keys;
  ++shared_.counts().polls_refused;
  failed_keys_.failed(address, server, shared_.deadlines.now_ms());
  if (!known) strangers_.knocked(server, key, address, endpoint_wall_ns());
  text(response, 401, "Bad X-ApiKey\n");
}

void TunnelEndpoint::take_answer(HttpRequest request, std::string_view id, ResponseWriterPtr response) {
  const auto found = shared_.by_id.find(std::string(id));
  // One that was never handed out, and one that has been answered, are not there for anybody.
  if (found == shared_.by_id.end() || found->second->stage() != RelayedRequest::Stage::asked) {
    ++shared_.counts().unknown_ids;
    return text(*response, 400, kNoSuchId);
  }
  const RelayedRequestPtr asked = found->second;
  const std::string* key = request.header("x-apikey");
  if (key == nullptr || !asked->link().has_key(blake3(*key))) {
    ++shared_.counts().wrong_keys;
    ++shared_.metrics.wrong_keys;
    return text(*response, 401, "Bad X-ApiKey\n");
  }
  const std::string* magic = request.header(kTunnelHeadHeader);
  shm::Result<WrappedHead> head = head_from_header(magic != nullptr ? *magic : std::string());
  if (!head.ok() && head.error().code != shm::Errc::corrupt) {
    // The reader goes on waiting: a better answer may follow.
    ++shared_.counts().bad_heads;
    return text(*response, 500, kUnreadable);
  }
  TunnelledAnswer answer;
  answer.announces_body = announces_body(request);
  answer.body = std::move(request.body_reader);
  answer.small_body = std::move(request.body);
  answer.post = std::move(response);
  if (!head.ok()) {
    ++shared_.counts().bad_heads;
    return asked->refuse_answer(std::move(answer));
  }
  answer.head = std::move(head.value());
  asked->answer(std::move(answer));
}

void TunnelEndpoint::text(ResponseWriter& response, int status, std::string_view text, HttpHeaders more) {
  send_text(response, shared_.metrics, status, text, std::move(more));
}

}  // namespace mayfly::hubd
