// Clients that mean no good, and the server that they are compared at.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "bench/timing.h"

namespace mayfly::bench {

/// Runs until it is destroyed.
class Background {
 public:
  using Body = std::function<void(const std::atomic<bool>& stop)>;
  explicit Background(Body body) : thread_([this, work = std::move(body)] { work(stop_); }) {}
  ~Background() {
    stop_.store(true);
    thread_.join();
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// A process that accepts and closes, as fast as one thread can: the least that a server can do.
class BareServer {
 public:
  BareServer();
  ~BareServer();
  BareServer(const BareServer&) = delete;
  BareServer& operator=(const BareServer&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  pid_t child_ = -1;
  std::uint16_t port_ = 0;
};

/// What a flood has done so far.
struct FloodCounts {
  std::atomic<std::uint64_t> connects{0};
  std::atomic<std::uint64_t> sent_bytes{0};
  std::atomic<std::uint64_t> commands{0};  // whole ones, on connections that were open to the end
};

/// `count` connections, each sending its own command (`command(i)`) byte by byte, all in turn, a round
/// every `round_ms`; each ends with a PING whose answer is waited for. Whoever is closed connects again
/// at its next byte and begins anew. Returns when all are through (`once`) or told to stop.
void write_slowly(std::uint16_t port, std::size_t count,
                  const std::function<std::string(std::size_t)>& command, unsigned round_ms, bool once,
                  FloodCounts& counts, const std::atomic<bool>& stop);

/// Connects and resets as fast as it goes.
void connect_and_leave(std::uint16_t port, FloodCounts& counts, const std::atomic<bool>& stop);

/// Holds up to `count` silent connections, always opening new ones: the oldest are let go, or were closed.
void connect_and_stay(std::uint16_t port, std::size_t count, FloodCounts& counts,
                      const std::atomic<bool>& stop);

/// What a well-behaved client does, again and again, a pause between: durations of it. `ask` does it once
/// and says whether it went well; what did not is counted.
struct Probe {
  explicit Probe(std::string name) : durations(std::move(name)) {}
  Durations durations;
  std::uint64_t failed = 0;
};
void ask_for(double seconds, Probe& probe, const std::function<bool()>& ask);

/// Connect, log, PING, its answer, gone. False: refused, or no answer.
bool log_once(std::uint16_t port, const std::string& directory, std::uint64_t number);
/// The same at the bare server: connect, its end.
bool be_closed_once(std::uint16_t port);

}  // namespace mayfly::bench
