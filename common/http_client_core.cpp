#include "common/http_client_core.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace mayfly {
namespace {

constexpr long kMaxRestingConnections = 16;

/// Null for libcurl's own handles.
HttpTransfer* transfer_of(CURL* easy) {
  char* user = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &user);
  return reinterpret_cast<HttpTransfer*>(user);
}

/// True where the other end has closed, and nothing is left to be read.
bool peer_closed(curl_socket_t fd) {
  char byte = 0;
  const ssize_t size = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size == 0 || (size < 0 && errno == ECONNRESET);
}

}  // namespace

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
  soon_.emplace(loop_, [this] {
    const auto self = shared_from_this();
    look_after_all();
  });
  multi_ = curl_multi_init();
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kMaxRestingConnections);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timeout);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

void HttpClientCore::close() {
  if (std::exchange(closed_, true)) return;
  while (!transfers_.empty()) cancel(transfers_.begin()->first);
  soon_.reset();
  curl_multi_cleanup(multi_);
  multi_ = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
           [](uv_handle_t* handle) { static_cast<HttpClientCore*>(handle->data)->self_.reset(); });
}

HttpTransfer& HttpClientCore::add(const HttpClientRequest& request, HttpClient::Done done) {
  auto transfer = std::make_unique<HttpTransfer>();
  HttpTransfer& added = *transfer;
  added.core = this;
  added.id = ++last_id_;
  added.done = std::move(done);
  set_up_transfer(added, request);
  transfers_.emplace(added.id, std::move(transfer));
  return added;
}

void HttpClientCore::launch(HttpTransfer& transfer) {
  transfer.started = true;
  curl_easy_setopt(transfer.easy, CURLOPT_HTTPHEADER, transfer.headers);
  curl_multi_add_handle(multi_, transfer.easy);
}

HttpClient::RequestId HttpClientCore::get(const HttpClientRequest& request, HttpClient::Done done) {
  HttpTransfer& transfer = add(request, std::move(done));
  curl_easy_setopt(transfer.easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout.count()));
  launch(transfer);
  return transfer.id;
}

HttpClient::RequestId HttpClientCore::post(const HttpClientRequest& request,
                                           std::optional<std::uint64_t> length, HttpClient::Done done) {
  HttpTransfer& transfer = add(request, std::move(done));
  transfer.upload.emplace(length);
  if (!leaves_at_once(*transfer.upload) || transfer.upload->filled()) {
    set_up_upload(transfer);
    launch(transfer);
  }
  return transfer.id;
}

bool HttpClientCore::awaits_answer(HttpClient::RequestId id) const {
  const auto found = transfers_.find(id);
  if (found == transfers_.end() || !found->second->started) return false;
  curl_off_t since = 0;
  return curl_easy_getinfo(found->second->easy, CURLINFO_PRETRANSFER_TIME_T, &since) == CURLE_OK && since > 0;
}

void HttpClientCore::cancel(HttpClient::RequestId id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  const std::unique_ptr<HttpTransfer> transfer = std::move(found->second);
  transfers_.erase(found);
  if (transfer->started) curl_multi_remove_handle(multi_, transfer->easy);
}

UploadQueue* HttpClientCore::upload(HttpClient::RequestId id) {
  const auto found = transfers_.find(id);
  return found == transfers_.end() || !found->second->upload ? nullptr : &*found->second->upload;
}

void HttpClientCore::upload_grew(HttpClient::RequestId id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  HttpTransfer& transfer = *found->second;
  if (!transfer.started) {
    if (!transfer.upload->ended()) return;
    set_up_upload(transfer);
    launch(transfer);
  } else if (std::exchange(transfer.upload->paused, false)) {
    curl_easy_pause(transfer.easy, CURLPAUSE_CONT);
  }
}

int HttpClientCore::on_socket(CURL* easy, curl_socket_t fd, int what, void* user, void* socket) {
  auto* self = static_cast<HttpClientCore*>(user);
  HttpTransfer* transfer = transfer_of(easy);
  const bool listens = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
  if (transfer != nullptr && transfer->upload && !listens && peer_closed(fd)) {
    // libcurl has stopped listening, and would wait for ever for the rest of a paused body.
    transfer->peer_closed = true;
    self->look_later(transfer->id);
  }
  self->watch(fd, what, static_cast<Socket*>(socket));
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
  look_after_all();
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
  HttpTransfer& transfer = *transfer_of(easy);
  HttpClientResponse response = std::move(transfer.response);
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
  } else {
    response.body.clear();
    response.error = transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(code);
    if (transfer.body_too_large) response.error = "the answer is too large";
  }
  conclude(transfer.id, std::move(response));
}

void HttpClientCore::conclude(HttpClient::RequestId id, HttpClientResponse response) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  const HttpClient::Done done = std::move(found->second->done);
  cancel(id);
  done(std::move(response));
}

void HttpClientCore::look_soon(HttpClient::RequestId id) {
  if (closed_) return;
  looks_.push_back(id);
  soon_->start(std::chrono::milliseconds(0));
}

void HttpClientCore::look_after_all() {
  std::vector<HttpClient::RequestId> ids;
  ids.swap(looks_);
  for (const HttpClient::RequestId id : ids) {
    if (!closed_) look_after(id);
  }
}

void HttpClientCore::look_after(HttpClient::RequestId id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  HttpTransfer& transfer = *found->second;
  long status = 0;
  if (transfer.started) curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && !transfer.upload->all_read()) {
    HttpClientResponse response = std::move(transfer.response);
    response.status = static_cast<int>(status);
    return conclude(id, std::move(response));
  }
  if (transfer.peer_closed && !transfer.upload->all_read()) {
    HttpClientResponse response;
    response.error = "the other end closed the connection";
    return conclude(id, std::move(response));
  }
  if (!transfer.upload->wants_drain()) return;
  const auto drain = std::exchange(transfer.upload->drain, nullptr);
  drain();
}

}  // namespace mayfly
