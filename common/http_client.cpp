#include "common/http_client.h"

#include <arpa/inet.h>

#include <cctype>
#include <utility>

#include "common/http_client_core.h"

namespace mayfly {
namespace {

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto* transfer = static_cast<HttpTransfer*>(user);
  if (size > transfer->max_body_bytes - transfer->response.body.size()) {
    transfer->body_too_large = true;
    return 0;
  }
  transfer->response.body.append(data, size);
  return size;
}

/// Keeps the ETag; a new status line (after 100 Continue) forgets what came before.
std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& response = static_cast<HttpTransfer*>(user)->response;
  std::string_view line(data, size);
  if (line.substr(0, 5) == "HTTP/") response.etag.clear();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(line.substr(0, colon));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (name != "etag") return size;
  line.remove_prefix(colon + 1);
  const std::size_t begin = line.find_first_not_of(" \t");
  const std::size_t end = line.find_last_not_of(" \t\r\n");
  if (begin != std::string_view::npos) response.etag = line.substr(begin, end - begin + 1);
  return size;
}

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

HttpTransfer::~HttpTransfer() {
  if (easy != nullptr) curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
}

/// The watch on one of libcurl's descriptors.
struct HttpClientCore::Socket {
  uv_poll_t poll;
  curl_socket_t fd;
  std::shared_ptr<HttpClientCore> core;  // until the handle is closed
};

HttpClientCore::HttpClientCore(uv_loop_t* loop) : loop_(loop) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)initialised;
}

HttpClientCore::~HttpClientCore() = default;

void HttpClientCore::start() {
  self_ = shared_from_this();
  uv_timer_init(loop_, &timer_);
  timer_.data = this;
  multi_ = curl_multi_init();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timeout);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

void HttpClientCore::close() {
  if (std::exchange(closed_, true)) return;
  while (!transfers_.empty()) cancel(transfers_.begin()->first);
  curl_multi_cleanup(multi_);
  multi_ = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
           [](uv_handle_t* handle) { static_cast<HttpClientCore*>(handle->data)->self_.reset(); });
}

HttpClient::RequestId HttpClientCore::get(const HttpClientRequest& request, HttpClient::Done done) {
  auto transfer = std::make_unique<HttpTransfer>();
  transfer->id = ++last_id_;
  transfer->max_body_bytes = request.max_body_bytes;
  transfer->done = std::move(done);
  for (const auto& [name, value] : request.headers) {
    transfer->headers = curl_slist_append(transfer->headers, (name + ": " + value).c_str());
  }
  CURL* easy = transfer->easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "mayfly/" MAYFLY_VERSION);
  if (is_loopback_url(request.url)) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer.get());
  transfers_.emplace(transfer->id, std::move(transfer));
  curl_multi_add_handle(multi_, easy);
  return last_id_;
}

void HttpClientCore::cancel(HttpClient::RequestId id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  curl_multi_remove_handle(multi_, found->second->easy);
  transfers_.erase(found);
}

int HttpClientCore::on_socket(CURL*, curl_socket_t fd, int what, void* self, void* socket) {
  static_cast<HttpClientCore*>(self)->watch(fd, what, static_cast<Socket*>(socket));
  return 0;
}

void HttpClientCore::watch(curl_socket_t fd, int what, Socket* socket) {
  if (what == CURL_POLL_REMOVE) {
    if (socket == nullptr) return;
    curl_multi_assign(multi_, fd, nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&socket->poll),
             [](uv_handle_t* handle) { delete static_cast<Socket*>(handle->data); });
    return;
  }
  if (socket == nullptr) {
    socket = new Socket{{}, fd, shared_from_this()};
    uv_poll_init_socket(loop_, &socket->poll, fd);
    socket->poll.data = socket;
    curl_multi_assign(multi_, fd, socket);
  }
  int events = 0;
  if (what & CURL_POLL_IN) events |= UV_READABLE;
  if (what & CURL_POLL_OUT) events |= UV_WRITABLE;
  uv_poll_start(&socket->poll, events, on_poll);
}

void HttpClientCore::on_poll(uv_poll_t* poll, int status, int events) {
  const auto* socket = static_cast<Socket*>(poll->data);
  const auto core = socket->core;  // the call may close the socket
  int actions = status < 0 ? CURL_CSELECT_ERR : 0;
  if (events & UV_READABLE) actions |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) actions |= CURL_CSELECT_OUT;
  core->act(socket->fd, actions);
}

int HttpClientCore::on_timeout(CURLM*, long timeout_ms, void* user) {
  auto* self = static_cast<HttpClientCore*>(user);
  if (self->closed_) return 0;
  if (timeout_ms < 0) {
    uv_timer_stop(&self->timer_);
  } else {
    uv_update_time(self->loop_);
    uv_timer_start(&self->timer_, on_timer, static_cast<std::uint64_t>(timeout_ms), 0);
  }
  return 0;
}

void HttpClientCore::on_timer(uv_timer_t* timer) {
  const auto self = static_cast<HttpClientCore*>(timer->data)->shared_from_this();
  self->act(CURL_SOCKET_TIMEOUT, 0);
}

void HttpClientCore::act(curl_socket_t fd, int events) {
  if (closed_) return;
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  collect_finished();
}

void HttpClientCore::collect_finished() {
  int left = 0;
  while (!closed_) {
    CURLMsg* message = curl_multi_info_read(multi_, &left);
    if (message == nullptr) return;
    if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
  }
}

void HttpClientCore::finish(CURL* easy, CURLcode code) {
  char* user = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &user);
  const auto found = transfers_.find(reinterpret_cast<HttpTransfer*>(user)->id);
  if (found == transfers_.end()) return;
  const std::unique_ptr<HttpTransfer> transfer = std::move(found->second);
  transfers_.erase(found);
  HttpClientResponse response = std::move(transfer->response);
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
  } else {
    response.body.clear();
    response.error = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code);
    if (transfer->body_too_large) response.error = "the answer is too large";
  }
  curl_multi_remove_handle(multi_, easy);
  transfer->done(std::move(response));
}

HttpClient::HttpClient(uv_loop_t* loop) : core_(std::make_shared<HttpClientCore>(loop)) { core_->start(); }
HttpClient::~HttpClient() { core_->close(); }
HttpClient::RequestId HttpClient::get(const HttpClientRequest& request, Done done) {
  return core_->get(request, std::move(done));
}
void HttpClient::cancel(RequestId id) { core_->cancel(id); }

}  // namespace mayfly
