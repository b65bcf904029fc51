// Whether records are taken, and what clients are told about it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace mayfly::ingestd {

enum class Service : std::uint8_t {
  go,
  no_quotas,  // the relay has never said which directories there are
  paused,     // the relay said `paused: true`
  memory,     // not one page can be had for any directory
  shutdown,   // this process ends
};

/// What a native client is pushed, with its line end: "+GO", or "-STOP <reason> <text>".
std::string_view service_line(Service service);

/// The state, as every thread sees it. Set by the main thread, read by all.
class ServiceState {
 public:
  /// What clients are to be told.
  Service announced() const { return announced_.load(std::memory_order_acquire); }
  /// The reason for which records are dropped as `stopped`, or go. Being short of memory is not
  /// one: a record that fits all the same is stored, others are dropped as no_memory. A shutdown is
  /// none either: what has arrived by then is stored.
  Service judged() const { return judged_.load(std::memory_order_acquire); }

  void set(Service service) {
    if (service != Service::shutdown) {
      judged_.store(service == Service::memory ? Service::go : service, std::memory_order_release);
    }
    announced_.store(service, std::memory_order_release);
  }

 private:
  std::atomic<Service> announced_{Service::no_quotas};
  std::atomic<Service> judged_{Service::no_quotas};
};

}  // namespace mayfly::ingestd
