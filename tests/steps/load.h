// What a stepped ingestd has to do: a client on its socket, and the relay's part in the control segment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "shm/control.h"
#include "tests/steps/tracee.h"

namespace mayfly::test {

class Load {
 public:
  using OnHit = std::function<void(const Tracee::Hit&)>;

  /// Creates the runtime directory's segments folder, and the control segment in it.
  Load(const std::string& runtime_dir, std::uint64_t seed);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Other quotas than before, for the same directories.
  void publish_quotas();
  /// Until the service is open. Throws std::runtime_error when that takes too long.
  void connect(Tracee& tracee, const OnHit& on_hit);
  /// A few records, and the answer that covers them.
  void burst(Tracee& tracee, const OnHit& on_hit);

 private:
  std::string record();
  void wait_for(Tracee& tracee, const OnHit& on_hit, const std::string& text);
  std::uint64_t pick(std::uint64_t a, std::uint64_t b) { return random_() % 2 == 0 ? a : b; }

  std::string runtime_dir_;
  std::unique_ptr<shm::ControlWriter> control_;
  std::mt19937_64 random_;
  int socket_ = -1;
  std::uint64_t bursts_ = 0;
  std::string received_;
};

}  // namespace mayfly::test
