// relayd without its process: segments, hub, listeners and read API on one loop.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <vector>

#include "common/runtime_dir.h"
#include "relayd/relay_config.h"
#include "shm/clock.h"
#include "shm/result.h"

namespace mayfly::relayd {

struct RelayOptions {
  RuntimePaths paths;
  RelayConfig config;
  std::vector<int> sockets;       // handed over; used instead of config.listen where there are any
  std::vector<int> unix_sockets;  // handed over; instead of config.listen_unix
  const shm::Clocks* clocks = nullptr;
  bool require_memory_backed = true;
  std::string data_segment = {};  // where it is, if elsewhere than `paths` says
};

class Relay {
 public:
  /// Takes over the control segment and starts everything. `loop` runs once more after the
  /// destruction. Errors: busy (an address, or another relayd), invalid, io, and ControlWriter's.
  static shm::Result<std::unique_ptr<Relay>> start(uv_loop_t* loop, RelayOptions options);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// "http://127.0.0.1:4719"; empty: no TCP.
  const std::string& address() const;

 private:
  struct Parts;
  explicit Relay(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace mayfly::relayd
