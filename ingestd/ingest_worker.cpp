#include "ingestd/ingest_worker.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ingestd/native_session.h"
#include "ingestd/uv_handle.h"

namespace mayfly::ingestd {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::uint64_t kTimerMs = 1000;
constexpr std::uint64_t kBeatMs = 1000;
constexpr std::uint64_t kAcceptPauseMs = 100;
// A worker with so many connections more than another one hands new ones over.
constexpr std::size_t kUnevenBy = 4;
// Where connections are at their limit, so many that have not sent a command yet are closed at once:
// finding them means a look at all. Where there was none, the next look waits.
constexpr std::size_t kNewcomersAtOnce = 32;
constexpr std::uint64_t kLookAgainMs = 100;
// What a shutdown spends on reading what has arrived.
constexpr std::uint64_t kDrainNs = 1'000'000'000;

shm::Error uv_failure(const char* what, int code) {
  return {shm::Errc::io, std::string(what) + ": " + uv_strerror(code)};
}

}  // namespace

IngestWorker::IngestWorker(Shared& shared, std::uint32_t index, uv_async_t* wake_main)
    : shared_(shared),
      wake_main_(wake_main),
      receive_buffer_(Connection::kFrontBytes + shared.limits.read_bytes),
      batch_(shared.writer, shared.writer.worker(index), shared.registry, shared.service, shared.control,
             shared.clocks),
      session_context_{batch_, shared.service, shared.clocks, {}},
      redis_context_{session_context_, shared.buffers, {}, {}} {}

IngestWorker::~IngestWorker() {
  if (thread_.joinable()) {
    stop();
    thread_.join();
  }
}

shm::Status IngestWorker::start(const std::vector<Listener>& listeners,
                                const std::vector<std::unique_ptr<IngestWorker>>& workers) {
  workers_ = &workers;
  if (shm::Status opened = open_loop(listeners); !opened) return opened;
  thread_ = std::thread([this] {
    told_ = shared_.service.announced();
    uv_run(&loop_, UV_RUN_DEFAULT);
    resting_.store(true);
    uv_loop_close(&loop_);
  });
  return {};
}

shm::Status IngestWorker::open_loop(const std::vector<Listener>& listeners) {
  if (const int failed = uv_loop_init(&loop_); failed != 0) return uv_failure("starting a loop", failed);
  const auto on_async = [](uv_async_t* handle) { static_cast<IngestWorker*>(handle->data)->on_async(); };
  if (const int failed = uv_async_init(&loop_, &async_, on_async); failed != 0) {
    return uv_failure("starting a loop", failed);
  }
  uv_timer_init(&loop_, &timer_);
  uv_timer_init(&loop_, &accept_timer_);
  uv_prepare_init(&loop_, &prepare_);
  uv_check_init(&loop_, &check_);
  async_.data = timer_.data = accept_timer_.data = prepare_.data = check_.data = this;
  uv_prepare_start(&prepare_,
                   [](uv_prepare_t* handle) { static_cast<IngestWorker*>(handle->data)->before_poll(); });
  uv_check_start(&check_, [](uv_check_t* handle) {
    auto* self = static_cast<IngestWorker*>(handle->data);
    self->resting_.store(false, std::memory_order_relaxed);
    self->turns_.fetch_add(1, std::memory_order_relaxed);
  });
  for (const Listener& listener : listeners) {
    auto poll = std::make_unique<ListenerPoll>();
    poll->worker = this;
    poll->listener = &listener;
    poll->handle.data = poll.get();
    int failed = uv_poll_init(&loop_, &poll->handle, listener.fd);
    if (failed == 0) failed = uv_poll_start(&poll->handle, UV_READABLE, &IngestWorker::on_listener);
    if (failed != 0) return uv_failure("watching a listening socket", failed);
    polls_.push_back(std::move(poll));
  }
  loop_open_ = true;
  // Not before: a worker that runs already may have connections to hand over.
  const std::lock_guard lock(handed_mutex_);
  takes_handed_ = true;
  return {};
}

void IngestWorker::notify() { uv_async_send(&async_); }

void IngestWorker::stop() {
  stopping_.store(true, std::memory_order_release);
  if (loop_open_) uv_async_send(&async_);
}

void IngestWorker::join() {
  if (thread_.joinable()) thread_.join();
}

bool IngestWorker::is_alive() {
  const std::uint64_t turns = turns_.load(std::memory_order_relaxed);
  const bool turned = turns != turns_seen_;
  turns_seen_ = turns;
  return turned || resting_.load(std::memory_order_relaxed);
}

// A worker at rest does not tick: the main thread's heartbeat stands for it.
void IngestWorker::before_poll() {
  const std::uint64_t now = uv_now(&loop_);
  if (connections_.size() != beat_connections_ || now - beat_ms_ >= kBeatMs) {
    beat_connections_ = connections_.size();
    beat_ms_ = now;
    batch_.worker().heartbeat(beat_connections_);
  }
  if (refused_ + closed_ > 0) {
    batch_.worker().count_connections(std::exchange(refused_, 0), std::exchange(closed_, 0));
  }
  if (batch_.take_memory_shortage() && !shared_.memory_short.exchange(true)) uv_async_send(wake_main_);
  resting_.store(true, std::memory_order_relaxed);
}

void IngestWorker::on_listener(uv_poll_t* handle, int, int) {
  auto* poll = static_cast<ListenerPoll*>(handle->data);
  poll->worker->accept_some(*poll->listener);
}

void IngestWorker::accept_some(const Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int fd =
        ::accept4(listener.fd, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (accept_failed(errno)) continue;
      return;
    }
    const Handed accepted{fd, &listener, PeerSource::of(fd, peer)};
    if (!admit(accepted.source)) {
      ++refused_;
      constexpr std::string_view kFull = "-ERR max number of clients reached\r\n";
      (void)::send(fd, kFull.data(), kFull.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      ::close(fd);
      continue;
    }
    IngestWorker& target = least_loaded();
    if (&target == this || !target.hand_over(accepted)) add_connection(accepted);
  }
}

// Counts one more connection in, where need be in the place of others that have never sent a command.
bool IngestWorker::admit(const PeerSource& source) {
  using Verdict = ConnectionCounter::Verdict;
  const Verdict verdict = shared_.admitted.enter(source);
  if (verdict == Verdict::admitted) return true;
  if (close_newcomers(verdict == Verdict::source_full ? &source : nullptr) == 0) return false;
  return shared_.admitted.enter(source) == Verdict::admitted;
}

// Closes this worker's oldest connections (of `source`; null: of all) that never completed a command.
std::size_t IngestWorker::close_newcomers(const PeerSource* source) {
  const std::uint64_t now = uv_now(&loop_);
  if (looked_in_vain_ms_ != 0 && now - looked_in_vain_ms_ < kLookAgainMs) return 0;
  std::vector<Connection*> found;
  for (const auto& connection : connections_) {
    if (!connection->proven() && connection->source && (source == nullptr || *connection->source == *source))
      found.push_back(connection.get());
  }
  const std::size_t count = std::min(found.size(), kNewcomersAtOnce);
  std::partial_sort(
      found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(),
      [](const Connection* a, const Connection* b) { return a->accepted_ms() < b->accepted_ms(); });
  for (std::size_t i = 0; i < count; ++i) {
    forget(*found[i]);  // now: its place is wanted before the loop has closed it
    found[i]->close();
  }
  closed_ += count;
  looked_in_vain_ms_ = count == 0 ? now : 0;
  return count;
}

void IngestWorker::forget(Connection& connection) {
  if (const auto source = std::exchange(connection.source, std::nullopt)) shared_.admitted.leave(*source);
}

// True when the next accept may go well.
bool IngestWorker::accept_failed(int error) {
  if (error == EINTR || error == ECONNABORTED) return true;
  if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM) return false;
  // Nothing more can be accepted now; the sockets would stay readable and the loop would spin.
  spdlog::warn("no connection can be accepted for the moment: {}", uv_strerror(-error));
  for (const auto& poll : polls_) uv_poll_stop(&poll->handle);
  const auto resume = [](uv_timer_t* handle) {
    for (const auto& poll : static_cast<IngestWorker*>(handle->data)->polls_) {
      uv_poll_start(&poll->handle, UV_READABLE, &IngestWorker::on_listener);
    }
  };
  uv_timer_start(&accept_timer_, resume, kAcceptPauseMs, 0);
  return false;
}

IngestWorker& IngestWorker::least_loaded() {
  IngestWorker* best = this;
  for (const auto& worker : *workers_) {
    if (worker->connections() + kUnevenBy < best->connections()) best = worker.get();
  }
  return *best;
}

// False when this worker takes no more.
bool IngestWorker::hand_over(const Handed& handed) {
  const std::lock_guard lock(handed_mutex_);
  if (!takes_handed_) return false;
  connection_count_.fetch_add(1, std::memory_order_relaxed);  // now, so that the next one goes elsewhere
  handed_.push_back(handed);
  uv_async_send(&async_);
  return true;
}

void IngestWorker::take_handed(bool last_time) {
  std::vector<Handed> handed;
  {
    const std::lock_guard lock(handed_mutex_);
    handed.swap(handed_);
    if (last_time) takes_handed_ = false;
  }
  for (const Handed& one : handed) add_connection(one);
}

std::unique_ptr<Session> IngestWorker::make_session(Protocol protocol) {
  if (protocol == Protocol::native) return std::make_unique<NativeSession>(session_context_);
  return std::make_unique<RedisSession>(redis_context_, shared_.next_connection_id.fetch_add(1));
}

void IngestWorker::add_connection(const Handed& accepted) {
  auto connection = std::make_unique<Connection>(*this, shared_.buffers, accepted.fd,
                                                 make_session(accepted.listener->protocol));
  connection->source = accepted.source;
  if (!connection->start(&loop_)) {
    forget(*connection);
    return;
  }
  Connection& added = *connection;
  added.place = connections_.size();
  connections_.push_back(std::move(connection));
  connection_count_.store(connections_.size(), std::memory_order_relaxed);
  added.greet(told_);
  start_timer();
}

void IngestWorker::on_closed(Connection& connection) {
  forget(connection);
  const std::size_t place = connection.place;
  std::swap(connections_[place], connections_.back());
  connections_[place]->place = place;
  connections_.pop_back();  // `connection` is gone from here on
  connection_count_.store(connections_.size(), std::memory_order_relaxed);
}

void IngestWorker::on_async() {
  const bool stopping = stopping_.load(std::memory_order_acquire);
  take_handed(stopping);
  const Service service = shared_.service.announced();
  if (service != told_) tell_all(service);
  if (stopping) finish();
}

void IngestWorker::tell_all(Service service) {
  told_ = service;
  for (const auto& connection : connections_) connection->tell_service(service);
}

void IngestWorker::start_timer() {
  if (finished_ || uv_is_active(as_handle(&timer_))) return;
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { static_cast<IngestWorker*>(handle->data)->on_timer(); }, kTimerMs,
      kTimerMs);
}

// Runs only while there is a connection that may have to be closed.
void IngestWorker::on_timer() {
  const std::uint64_t now = uv_now(&loop_);
  const auto timeout = static_cast<std::uint64_t>(shared_.limits.first_command_timeout.count()) * 1000;
  bool needed = false;
  for (const auto& connection : connections_) {
    const bool expired = connection->deadline_ms() != 0 && now >= connection->deadline_ms();
    const bool silent = !connection->proven() && now - connection->accepted_ms() >= timeout;
    if (expired || silent) {
      connection->close();
    } else {
      needed = needed || connection->deadline_ms() != 0 || !connection->proven();
    }
  }
  if (!needed) uv_timer_stop(&timer_);
}

// What has arrived is stored before the thread ends.
void IngestWorker::finish() {
  if (std::exchange(finished_, true)) return;
  for (const auto& poll : polls_) uv_close(as_handle(&poll->handle), nullptr);
  const std::uint64_t deadline = uv_hrtime() + kDrainNs;
  for (const auto& connection : connections_) connection->drain(deadline);
  batch_.worker().heartbeat(0);
  for (const auto& connection : connections_) connection->close();
  close_handles();
}

void IngestWorker::close_handles() {
  for (uv_handle_t* handle : {as_handle(&async_), as_handle(&timer_), as_handle(&accept_timer_),
                              as_handle(&prepare_), as_handle(&check_)}) {
    uv_close(handle, nullptr);
  }
}

}  // namespace mayfly::ingestd
