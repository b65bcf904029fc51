// ingestd as a whole: the segment, the workers, and a main thread that applies the relay's list,
// keeps house, and watches over the workers.
//
// The main thread has a hand on the segment of its own (a Worker beyond the ingest workers'), so
// that a long eviction holds nobody up but the directory concerned.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <vector>

#include "common/daemon.h"
#include "ingestd/control_watch.h"
#include "ingestd/ingest_worker.h"
#include "ingestd/listener.h"
#include "ingestd/shared.h"

namespace mayfly::ingestd {

struct ServerOptions {
  std::string segment_path;
  std::string control_path;
  std::uint64_t segment_bytes = 256 << 20;
  std::uint32_t page_bytes = 16384;
  std::uint32_t workers = 1;  // 1..kMaxIngestWorkers
  Limits limits;
  const shm::Clocks* clocks = nullptr;  // null: the system's
  bool require_memory_backed = true;
};

/// One Worker of the segment is the main thread's.
inline constexpr std::uint32_t kMaxIngestWorkers = shm::kMaxWorkers - 1;

class Server {
 public:
  /// Opens the segment. `listeners` and `notifier` (may be null) must outlive the server.
  /// Errors: as Writer::open.
  static shm::Result<std::unique_ptr<Server>> open(const ServerOptions& options, const Listeners& listeners,
                                                   const Notifier* notifier);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const shm::OpenReport& report() const { return writer_->report(); }
  /// The main loop, for signals. Run by run().
  uv_loop_t* loop() { return &loop_; }
  /// Puts what the control segment says in force, and starts the workers. Errors: io.
  shm::Status start();
  /// Serves until request_stop(); what has arrived by then is stored before it returns.
  void run();
  /// Any thread.
  void request_stop();

 private:
  Server(const ServerOptions& options, const Listeners& listeners, const Notifier* notifier,
         std::unique_ptr<shm::Writer> writer);

  shm::Status open_loop();
  void watch_directory();
  void look_around();
  void attach_control();
  void look_at_rules();
  void tick();
  void keep_house();
  void update_service();
  void publish();
  void watchdog();
  void shut_down();
  shm::Now now() const;

  const ServerOptions options_;
  const Listeners& listeners_;
  const Notifier* const notifier_;
  std::unique_ptr<shm::Writer> writer_;
  Shared shared_;
  shm::Worker worker_;

  uv_loop_t loop_{};
  bool loop_open_ = false;
  uv_async_t async_{};
  uv_timer_t tick_{};
  uv_timer_t more_{};
  uv_fs_event_t directory_{};
  std::vector<std::unique_ptr<IngestWorker>> workers_;
  std::unique_ptr<ControlWatch> watch_;

  std::shared_ptr<shm::ControlReader> control_;
  std::string control_error_;  // told last, so that it is not told every second
  std::uint64_t applied_instance_ = 0;
  std::uint64_t applied_serial_ = 0;
  std::string applied_version_;
  bool paused_ = false;
  bool published_ = false;
  Service published_service_ = Service::no_quotas;
  std::atomic<bool> stopping_{false};
  bool stopped_ = false;
};

}  // namespace mayfly::ingestd
