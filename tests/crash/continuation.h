// A recovered segment takes records as a healthy one does: the model says how.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "shm/engine.h"
#include "shm/reader.h"

namespace mayfly::shm::test {

struct Continuation {
  const Clocks& clocks;
  std::function<std::string()> key;
  std::function<std::string()> value;
  bool compared = true;  // with the model, which knows no memory that runs out
};

/// A batch of records in each directory. Throws Finding.
void go_on(Engine& engine, Reader& reader, const Continuation& how);

}  // namespace mayfly::shm::test
