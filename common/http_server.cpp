#include "common/http_server.h"

#include <algorithm>
#include <utility>

#include "common/http_listener.h"
#include "common/http_server_core.h"

namespace mayfly {
namespace {

constexpr std::size_t kAcceptsPerTurn = 64;
// Refused connections that are still being told so; beyond them, others are closed without a word.
constexpr std::size_t kMaxTurnedAway = 64;
// Who displaces looks at all connections, and so makes room for several at once; and where there was
// nobody to displace, it does not look again at once.
constexpr std::size_t kDisplacedAtOnce = 32;
constexpr std::uint64_t kLookAgainMs = 100;

}  // namespace

HttpServerCounts& HttpServerCounts::operator+=(const HttpServerCounts& past) {
  requests += past.requests;
  refused_requests += past.refused_requests;
  refused_connections += past.refused_connections;
  displaced_connections += past.displaced_connections;
  timeouts += past.timeouts;
  return *this;
}

HttpServerCore::HttpServerCore(uv_loop_t* loop, HttpServerOptions options, HttpHandler handler)
    : loop_(loop),
      options_(std::move(options)),
      handler_(std::move(handler)),
      admitted_(options_.max_connections, options_.max_connections_per_source),
      accepts_left_(kAcceptsPerTurn) {}

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
  held_back_.clear();
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
  if (accepts_left_ > 0) --accepts_left_;
  if (connection->accept(listener)) admit(*connection);
}

void HttpServerCore::admit(HttpConnection& connection) {
  using Verdict = ConnectionCounter::Verdict;
  Verdict verdict = admitted_.enter(connection.source());
  if (verdict != Verdict::admitted &&
      displace(verdict == Verdict::source_full ? &connection.source() : nullptr) > 0) {
    verdict = admitted_.enter(connection.source());
  }
  connection.counted = verdict == Verdict::admitted;
  if (connection.counted) return;
  ++counts_.refused_connections;
  if (connections_.size() > options_.max_connections + kMaxTurnedAway) return connection.close();
  connection.turn_away();
}

/// Closes connections that wait for their peer's next request, of `source` (null: of all); those that
/// have waited longest go first. How many.
std::size_t HttpServerCore::displace(const PeerSource* source) {
  const std::uint64_t now = uv_now(loop_);
  if (looked_in_vain_ms_ != 0 && now - looked_in_vain_ms_ < kLookAgainMs) return 0;
  std::vector<std::shared_ptr<HttpConnection>> waiting;
  for (const auto& [connection, keep] : connections_) {
    if (connection->counted && connection->displaceable() &&
        (source == nullptr || connection->source() == *source))
      waiting.push_back(keep);
  }
  const std::size_t count = std::min(waiting.size(), kDisplacedAtOnce);
  std::partial_sort(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count), waiting.end(),
                    [](const auto& a, const auto& b) { return a->since_ms() < b->since_ms(); });
  for (std::size_t i = 0; i < count; ++i) waiting[i]->close();
  counts_.displaced_connections += count;
  looked_in_vain_ms_ = count == 0 ? now : 0;
  return count;
}

void HttpServerCore::accept_held_back() {
  accepts_left_ = kAcceptsPerTurn;
  for (HttpListener* listener : std::exchange(held_back_, {})) listener->accept_held_back();
}

void HttpServerCore::mark(std::shared_ptr<HttpConnection> connection) {
  if (closed_) return;
  marked_.push_back(std::move(connection));
}

void HttpServerCore::defer(std::function<void()> call) { deferred_.push_back(std::move(call)); }

void HttpServerCore::forget(HttpConnection* connection) {
  if (connection->counted) admitted_.leave(connection->source());
  connections_.erase(connection);
  counts_.connections = connections_.size();
  if (connections_.empty() && !closed_) uv_timer_stop(&sweep_);
}

void HttpServerCore::on_prepare(uv_prepare_t* prepare) {
  const auto self = static_cast<HttpServerCore*>(prepare->data)->shared_from_this();
  self->service_marked();
}

void HttpServerCore::service_marked() {
  if (!closed_) accept_held_back();
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
