// One worker: a thread with its own loop, its own connections and its own hand on the segment.
//
// All workers wait on all listening sockets; whoever wakes first accepts. A worker that has got
// clearly more connections than another one hands new ones over, so that load spreads.
#pragma once

#include <uv.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "ingestd/connection.h"
#include "ingestd/listener.h"
#include "ingestd/redis_session.h"
#include "ingestd/shared.h"

namespace mayfly::ingestd {

class IngestWorker final : public ConnectionOwner {
 public:
  /// `shared` must outlive the worker. `wake_main` is called when the main thread ought to look at
  /// Shared (any thread calls it).
  IngestWorker(Shared& shared, std::uint32_t index, uv_async_t* wake_main);
  ~IngestWorker() override;

  /// Starts the thread. `listeners` and `workers` (all of them, this one included) must outlive it.
  shm::Status start(const std::vector<Listener>& listeners,
                    const std::vector<std::unique_ptr<IngestWorker>>& workers);
  /// Any thread: looks at the service's state and tells the clients.
  void notify();
  /// Any thread: stops accepting, reads what is readable, stores it, ends the thread.
  void stop();
  void join();
  std::size_t connections() const { return connection_count_.load(std::memory_order_relaxed); }
  /// True when the loop has turned since the last call, or rests. For one calling thread.
  bool is_alive();

  std::span<char> receive_buffer() override { return receive_buffer_; }
  void begin_turn() override { batch_.new_turn(); }
  void on_closed(Connection& connection) override;
  void on_deadline() override { start_timer(); }

 private:
  struct ListenerPoll {
    uv_poll_t handle;
    IngestWorker* worker;
    const Listener* listener;
  };
  struct Handed {
    int fd;
    const Listener* listener;
    PeerSource source;
  };

  shm::Status open_loop(const std::vector<Listener>& listeners);
  static void on_listener(uv_poll_t* handle, int status, int events);
  void accept_some(const Listener& listener);
  bool accept_failed(int error);
  bool admit(const PeerSource& source);
  std::size_t close_newcomers(const PeerSource* source);
  void forget(Connection& connection);
  IngestWorker& least_loaded();
  bool hand_over(const Handed& handed);
  void take_handed(bool last_time);
  void add_connection(const Handed& accepted);
  std::unique_ptr<Session> make_session(Protocol protocol);
  void on_async();
  void tell_all(Service service);
  void start_timer();
  void on_timer();
  void before_poll();
  void finish();
  void close_handles();

  Shared& shared_;
  uv_async_t* const wake_main_;
  const std::vector<std::unique_ptr<IngestWorker>>* workers_ = nullptr;
  std::thread thread_;

  uv_loop_t loop_{};
  uv_async_t async_{};
  uv_timer_t timer_{};
  uv_timer_t accept_timer_{};
  uv_prepare_t prepare_{};
  uv_check_t check_{};
  std::vector<std::unique_ptr<ListenerPoll>> polls_;
  bool loop_open_ = false;

  std::vector<char> receive_buffer_;
  Batch batch_;
  SessionContext session_context_;
  RedisContext redis_context_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Service told_ = Service::no_quotas;
  std::uint64_t beat_ms_ = 0;
  std::uint64_t looked_in_vain_ms_ = 0;  // for newcomers to close
  std::uint64_t refused_ = 0;            // connections, not told to the segment yet
  std::uint64_t closed_ = 0;             // the same, of those closed for others
  std::size_t beat_connections_ = 0;
  bool finished_ = false;

  std::atomic<std::size_t> connection_count_{0};
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<bool> resting_{false};
  std::atomic<bool> stopping_{false};
  std::uint64_t turns_seen_ = 0;

  std::mutex handed_mutex_;
  std::vector<Handed> handed_;  // guarded by handed_mutex_
  bool takes_handed_ = false;   // guarded by handed_mutex_; true while the loop is open
};

}  // namespace mayfly::ingestd
