// What a reader sees of a segment, as a number: equal numbers, equal views. Shares the reader's code,
// not the writer's.
#pragma once

#include <string>
#include <vector>

#include "shm/reader.h"

namespace mayfly::shm::test {

struct ViewDigest {
  std::uint64_t hash = 0;
  bool partial = false;  // a directory could not be read whole
  friend bool operator==(const ViewDigest&, const ViewDigest&) = default;
};

/// Everything that describe() says of every directory, and every byte of every value.
ViewDigest digest_of(Reader& reader);

/// The same in words, for a message.
std::string text_of(Reader& reader);

}  // namespace mayfly::shm::test
