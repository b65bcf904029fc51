#include "common/http_server.h"

#include <utility>

#include "common/http_listener.h"
#include "common/http_server_core.h"

namespace mayfly {

HttpServerCore::HttpServerCore(uv_loop_t* loop, HttpServerOptions options, HttpHandler handler)
    : loop_(loop), options_(std::move(options)), handler_(std::move(handler)) {}

void HttpServerCore::start() {
  self_ = shared_from_this();
  uv_prepare_init(loop_, &prepare_);
  uv_idle_init(loop_, &again_);
  uv_timer_init(loop_, &sweep_);
  prepare_.data = again_.data = sweep_.data = this;
  open_handles_ = 3;
  uv_prepare_start(&prepare_, on_prepare);
  uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&sweep_));
}

shm::Status HttpServerCore::adopt(std::unique_ptr<HttpListener> listener) {
  listeners_.push_back(std::move(listener));
  return {};
}

shm::Result<std::uint16_t> HttpServerCore::listen_tcp(const std::string& host, std::uint16_t port) {
  auto listener = HttpListener::tcp(*this, host, port);
  if (!listener.ok()) return listener.error();
  const std::uint16_t bound = listener.value()->port();
  if (auto adopted = adopt(std::move(listener.value())); !adopted.ok()) return adopted.error();
  return bound;
}

shm::Status HttpServerCore::listen_unix(const std::string& path, unsigned mode,
                                        std::optional<unsigned> group) {
  auto listener = HttpListener::unix_socket(*this, path, mode, group);
  if (!listener.ok()) return listener.error();
  return adopt(std::move(listener.value()));
}

shm::Status HttpServerCore::listen_fd(int fd) {
  auto listener = HttpListener::inherited(*this, fd);
  if (!listener.ok()) return listener.error();
  return adopt(std::move(listener.value()));
}

void HttpServerCore::close() {
  if (std::exchange(closed_, true)) return;
  for (auto& listener : listeners_) HttpListener::close(std::move(listener));
  listeners_.clear();
  const auto connections = connections_;  // close() changes the map
  for (const auto& [connection, keep] : connections) connection->close();
  marked_.clear();
  // Readers that are told now that they are gone may defer in turn.
  while (!deferred_.empty()) {
    const auto calls = std::exchange(deferred_, {});
    for (const auto& call : calls) call();
  }
  for (auto* handle : {reinterpret_cast<uv_handle_t*>(&prepare_), reinterpret_cast<uv_handle_t*>(&again_),
                       reinterpret_cast<uv_handle_t*>(&sweep_)}) {
    uv_close(handle, [](uv_handle_t* closing) {
      auto* self = static_cast<HttpServerCore*>(closing->data);
      if (--self->open_handles_ == 0) self->self_.reset();
    });
  }
}

void HttpServerCore::accept(uv_stream_t* listener, bool is_tcp) {
  auto connection = std::make_shared<HttpConnection>(*this, is_tcp);
  connections_.emplace(connection.get(), connection);
  counts_.connections = connections_.size();
  if (!uv_is_active(reinterpret_cast<uv_handle_t*>(&sweep_))) uv_timer_start(&sweep_, on_sweep, 1000, 1000);
  if (!connection->accept(listener)) return;
  if (connections_.size() > options_.max_connections) {
    ++counts_.refused_connections;
    connection->turn_away();
  }
}

void HttpServerCore::mark(std::shared_ptr<HttpConnection> connection) {
  if (closed_) return;
  marked_.push_back(std::move(connection));
}

void HttpServerCore::defer(std::function<void()> call) { deferred_.push_back(std::move(call)); }

void HttpServerCore::forget(HttpConnection* connection) {
  connections_.erase(connection);
  counts_.connections = connections_.size();
  if (connections_.empty() && !closed_) uv_timer_stop(&sweep_);
}

void HttpServerCore::on_prepare(uv_prepare_t* prepare) {
  const auto self = static_cast<HttpServerCore*>(prepare->data)->shared_from_this();
  self->service_marked();
}

void HttpServerCore::service_marked() {
  const auto calls = std::exchange(deferred_, {});
  for (const auto& call : calls) call();
  const auto marked = std::exchange(marked_, {});
  for (const auto& connection : marked) connection->service();
  if (closed_) return;
  const bool more = !marked_.empty() || !deferred_.empty();
  if (more) {
    uv_idle_start(&again_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&again_);
  }
}

void HttpServerCore::on_sweep(uv_timer_t* timer) {
  const auto self = static_cast<HttpServerCore*>(timer->data)->shared_from_this();
  self->sweep();
}

void HttpServerCore::sweep() {
  const std::uint64_t now = uv_now(loop_);
  std::vector<std::pair<std::shared_ptr<HttpConnection>, HttpConnection::Late>> late;
  for (const auto& [connection, keep] : connections_) {
    const auto lateness = connection->lateness(now);
    if (lateness != HttpConnection::Late::no) late.emplace_back(keep, lateness);
  }
  for (const auto& [connection, lateness] : late) connection->cut_off(lateness);
}

HttpServer::HttpServer(uv_loop_t* loop, HttpServerOptions options, HttpHandler handler)
    : core_(std::make_shared<HttpServerCore>(loop, std::move(options), std::move(handler))) {
  core_->start();
}

HttpServer::~HttpServer() { close(); }

shm::Result<std::uint16_t> HttpServer::listen_tcp(const std::string& host, std::uint16_t port) {
  return core_->listen_tcp(host, port);
}

shm::Status HttpServer::listen_unix(const std::string& path, unsigned mode, std::optional<unsigned> group) {
  return core_->listen_unix(path, mode, group);
}

shm::Status HttpServer::listen_fd(int fd) { return core_->listen_fd(fd); }

void HttpServer::close() { core_->close(); }

HttpServerCounts HttpServer::counts() const { return core_->counts(); }

}  // namespace mayfly
