#include "ingestd/server.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "ingestd/uv_handle.h"

namespace mayfly::ingestd {
namespace {

constexpr std::uint64_t kTickMs = 1000;
constexpr std::uint64_t kMoreMs = 5;

}  // namespace

shm::Result<std::unique_ptr<Server>> Server::open(const ServerOptions& options, const Listeners& listeners,
                                                  const Notifier* notifier) {
  shm::WriterOptions wanted;
  wanted.path = options.segment_path;
  wanted.bytes = options.segment_bytes;
  wanted.page_bytes = options.page_bytes;
  wanted.workers = options.workers + 1;
  wanted.clocks = options.clocks;
  wanted.require_memory_backed = options.require_memory_backed;
  auto writer = shm::Writer::open(wanted);
  if (!writer) return writer.error();
  // What contradicts itself must not be written to any more. The next start sets it aside.
  writer.value()->on_corruption([](const std::string& text) {
    spdlog::critical("the segment is damaged: {}", text);
    ::_exit(1);
  });
  std::unique_ptr<Server> server(new Server(options, listeners, notifier, std::move(writer.value())));
  if (shm::Status opened = server->open_loop(); !opened) return opened.error();
  return server;
}

Server::Server(const ServerOptions& options, const Listeners& listeners, const Notifier* notifier,
               std::unique_ptr<shm::Writer> writer)
    : options_(options),
      listeners_(listeners),
      notifier_(notifier),
      writer_(std::move(writer)),
      shared_(*writer_, options.limits, options.clocks != nullptr ? *options.clocks : shm::system_clocks()),
      worker_(writer_->worker(options.workers)) {}

Server::~Server() {
  if (!loop_open_) return;
  shut_down();
  for (uv_handle_t* handle :
       {as_handle(&async_), as_handle(&tick_), as_handle(&more_), as_handle(&directory_)}) {
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
  }
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

shm::Status Server::open_loop() {
  int failed = uv_loop_init(&loop_);
  const auto on_async = [](uv_async_t* handle) { static_cast<Server*>(handle->data)->look_around(); };
  if (failed == 0 && (failed = uv_async_init(&loop_, &async_, on_async)) != 0) uv_loop_close(&loop_);
  if (failed != 0) return shm::Error{shm::Errc::io, std::string("starting a loop: ") + uv_strerror(failed)};
  loop_open_ = true;
  uv_timer_init(&loop_, &tick_);
  uv_timer_init(&loop_, &more_);
  uv_fs_event_init(&loop_, &directory_);
  async_.data = tick_.data = more_.data = directory_.data = this;
  watch_ = std::make_unique<ControlWatch>(&async_);
  return {};
}

shm::Status Server::start() {
  attach_control();
  look_at_rules();
  update_service();
  publish();
  worker_.heartbeat(0);
  for (std::uint32_t i = 0; i < options_.workers; ++i) {
    workers_.push_back(std::make_unique<IngestWorker>(shared_, i, &async_));
  }
  for (const auto& worker : workers_) {
    if (shm::Status started = worker->start(listeners_.all(), workers_); !started) return started;
  }
  const std::uint64_t interval =
      notifier_ != nullptr && notifier_->watchdog_interval()
          ? std::min<std::uint64_t>(kTickMs,
                                    static_cast<std::uint64_t>(notifier_->watchdog_interval()->count()))
          : kTickMs;
  uv_timer_start(
      &tick_, [](uv_timer_t* handle) { static_cast<Server*>(handle->data)->tick(); }, interval, interval);
  watch_directory();
  if (notifier_ != nullptr) notifier_->ready();
  return {};
}

// Tells of a control segment that appears or is replaced; without it the tick finds it, later.
void Server::watch_directory() {
  const std::string directory = std::filesystem::path(options_.control_path).parent_path();
  const auto on_event = [](uv_fs_event_t* handle, const char*, int, int) {
    auto* self = static_cast<Server*>(handle->data);
    if (self->control_ == nullptr || self->control_->replaced()) self->look_around();
  };
  const int failed = uv_fs_event_start(&directory_, on_event, directory.c_str(), 0);
  if (failed != 0) spdlog::warn("watching {}: {}", directory, uv_strerror(failed));
}

void Server::run() {
  while (!stopping_.load()) uv_run(&loop_, UV_RUN_ONCE);
  shut_down();
}

void Server::request_stop() {
  stopping_.store(true);
  uv_async_send(&async_);
}

shm::Now Server::now() const { return {shared_.clocks.wall_ns(), shared_.clocks.boot_ns()}; }

void Server::look_around() {
  if (stopping_.load()) return;
  attach_control();
  look_at_rules();
  update_service();
  publish();
}

// Attaches to the control segment that is there now. An old one stays in use until there is another.
void Server::attach_control() {
  if (control_ != nullptr && !control_->replaced()) return;
  auto opened = shm::ControlReader::open(options_.control_path);
  if (!opened) {
    const bool usual =
        opened.error().code == shm::Errc::not_found || opened.error().code == shm::Errc::not_ready;
    if (!usual && opened.error().text != control_error_) spdlog::error("{}", opened.error().text);
    control_error_ = opened.error().text;
    return;
  }
  control_error_.clear();
  control_ = std::move(opened.value());
  shared_.control.set(control_);
  watch_->watch(control_, 0);
}

// Applies a complete list of the relay that is not in force yet. Nothing else removes anything: a
// control segment without a list leaves the old one in force.
void Server::look_at_rules() {
  if (control_ == nullptr) return;
  const std::uint64_t serial = control_->serial();
  const bool known = control_->instance() == applied_instance_ && serial == applied_serial_;
  if (known || serial == 0) {
    watch_->acknowledge(serial);
    return;
  }
  const auto state = control_->state();
  if (!state) {
    if (state.error().text != control_error_) spdlog::error("{}", state.error().text);
    control_error_ = state.error().text;
    return;  // the tick tries again
  }
  control_error_.clear();
  if (state.value().rules) {
    const shm::Rules& rules = *state.value().rules;
    shared_.registry.apply(worker_, state.value().instance, rules, now());
    paused_ = rules.paused;
    applied_instance_ = state.value().instance;
    applied_serial_ = state.value().serial;
    applied_version_ = rules.version;
    published_ = false;
    spdlog::info("quotas {} in force: {} rules{}", rules.version, rules.rules.size(),
                 paused_ ? ", paused" : "");
  }
  watch_->acknowledge(state.value().serial);
}

void Server::update_service() {
  Service service = Service::go;
  if (!shared_.registry.in_force()) {
    service = Service::no_quotas;
  } else if (paused_) {
    service = Service::paused;
  } else if (shared_.memory_short.load()) {
    service = Service::memory;
  }
  if (service == shared_.service.announced()) return;
  shared_.service.set(service);
  for (const auto& worker : workers_) worker->notify();
}

// Tells readers what is in force, once all of it is.
void Server::publish() {
  const Service service = shared_.service.announced();
  if (published_ && service == published_service_) return;
  const bool serving = service == Service::go || service == Service::memory;
  writer_->publish_applied(applied_instance_, applied_serial_, applied_version_, serving);
  writer_->wake_readers();
  published_ = true;
  published_service_ = service;
}

void Server::tick() {
  worker_.heartbeat(0);
  if (writer_->torn()) {
    spdlog::critical("the segment was truncated by somebody; starting anew");
    ::_exit(1);
  }
  if (shared_.memory_short.load() && writer_->has_free_page()) shared_.memory_short.store(false);
  look_around();
  keep_house();
  watchdog();
}

void Server::keep_house() {
  if (!shared_.registry.housekeep(worker_, now())) return;
  uv_timer_start(
      &more_, [](uv_timer_t* handle) { static_cast<Server*>(handle->data)->keep_house(); }, kMoreMs, 0);
}

// A supervisor hears of us only while all workers turn: one that hangs is worth a restart.
void Server::watchdog() {
  bool alive = true;
  for (const auto& worker : workers_) alive = worker->is_alive() && alive;
  if (alive && notifier_ != nullptr) notifier_->watchdog();
}

void Server::shut_down() {
  if (std::exchange(stopped_, true)) return;
  if (notifier_ != nullptr) notifier_->stopping();
  watch_->stop();
  shared_.service.set(Service::shutdown);
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->join();
  workers_.clear();
  writer_->publish_applied(applied_instance_, applied_serial_, applied_version_, false);
}

}  // namespace mayfly::ingestd
