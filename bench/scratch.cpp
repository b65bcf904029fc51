#include "bench/scratch.h"

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace mayfly::bench {

Scratch::Scratch() : path_("/dev/shm/mayfly-bench-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) give_up("cannot make a directory in /dev/shm");
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void give_up(const std::string& why) { throw std::runtime_error(why); }

}  // namespace mayfly::bench
