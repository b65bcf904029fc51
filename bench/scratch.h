// A memory-backed directory of a benchmark's own, gone when it ends.
#pragma once

#include <cstdint>
#include <string>

namespace mayfly::bench {

class Scratch {
 public:
  /// Makes /dev/shm/mayfly-bench-XXXXXX, or gives up.
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// A benchmark that cannot measure says why and fails: throws std::runtime_error, for main() to print.
[[noreturn]] void give_up(const std::string& why);

}  // namespace mayfly::bench
