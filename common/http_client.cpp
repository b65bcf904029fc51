#include "common/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <cctype>
#include <utility>

#include "common/http_client_core.h"

namespace mayfly {
namespace {

/// Scheme and host (without port and brackets) of a URL, as libcurl itself would read it.
struct UrlParts {
  std::string scheme;
  std::string host;
};

UrlParts parse_url(const std::string& url) {
  UrlParts parts;
  CURLU* handle = curl_url();
  if (handle == nullptr) return parts;
  char* text = nullptr;
  if (curl_url_set(handle, CURLUPART_URL, url.c_str(), 0) == CURLUE_OK) {
    if (curl_url_get(handle, CURLUPART_SCHEME, &text, 0) == CURLUE_OK) parts.scheme = text;
    curl_free(std::exchange(text, nullptr));
    if (curl_url_get(handle, CURLUPART_HOST, &text, 0) == CURLUE_OK) parts.host = text;
    curl_free(std::exchange(text, nullptr));
  }
  curl_url_cleanup(handle);
  if (parts.host.size() > 2 && parts.host.front() == '[')
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  for (char& c : parts.host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return parts;
}

bool is_loopback_host(const std::string& host) {
  if (host == "localhost" || host == "localhost." || host == "::1") return true;
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

}  // namespace

bool is_loopback_url(const std::string& url) {
  const UrlParts parts = parse_url(url);
  return (parts.scheme == "http" || parts.scheme == "https") && is_loopback_host(parts.host);
}

bool may_carry_key(const std::string& url) {
  return parse_url(url).scheme == "https" || is_loopback_url(url);
}

HttpClient::HttpClient(uv_loop_t* loop) : core_(std::make_shared<HttpClientCore>(loop)) { core_->start(); }
HttpClient::~HttpClient() { core_->close(); }
HttpClient::RequestId HttpClient::get(const HttpClientRequest& request, Done done) {
  return core_->get(request, std::move(done));
}
std::shared_ptr<HttpUpload> HttpClient::post(const HttpClientRequest& request,
                                             std::optional<std::uint64_t> length, Done done) {
  return std::make_shared<QueuedUpload>(core_, core_->post(request, length, std::move(done)));
}
bool HttpClient::awaits_answer(RequestId id) const { return core_->awaits_answer(id); }
void HttpClient::break_stalled(std::chrono::milliseconds silence) { core_->break_stalled(silence); }
void HttpClient::cancel(RequestId id) { core_->cancel(id); }

}  // namespace mayfly
