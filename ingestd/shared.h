// What all threads of ingestd share. Nothing else is shared between loops but uv_async_send.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/peer_source.h"
#include "ingestd/buffer.h"
#include "ingestd/control_handle.h"
#include "ingestd/registry.h"
#include "ingestd/service_state.h"
#include "shm/writer.h"

namespace mayfly::ingestd {

struct Limits {
  std::uint64_t max_connections = 12000;             // over all listeners
  std::uint64_t max_connections_per_source = 10000;  // common/peer_source.h
  std::uint64_t max_buffered_bytes = 64 << 20;  // of all connections: incomplete commands, waiting replies
  std::uint64_t read_bytes = 128 << 10;         // per connection and turn
  std::chrono::seconds first_command_timeout{300};  // for connections that never completed one
};

/// Outlives all workers. Thread-safe.
struct Shared {
  Shared(shm::Writer& segment, const Limits& bounds, const shm::Clocks& time)
      : writer(segment),
        limits(bounds),
        clocks(time),
        admitted(bounds.max_connections, bounds.max_connections_per_source),
        registry(segment),
        buffers(bounds.max_buffered_bytes) {}

  shm::Writer& writer;
  const Limits limits;
  const shm::Clocks& clocks;
  ConnectionCounter admitted;
  Registry registry;
  BufferAccount buffers;
  ServiceState service;
  ControlHandle control;
  std::atomic<std::uint64_t> next_connection_id{1};
  std::atomic<bool> memory_short{false};  // a record found no page; the main thread looks into it
};

}  // namespace mayfly::ingestd
