// GET /api/v1/search: one pattern over the logs of all hosts (docs/fleet.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "common/http_message.h"
#include "hubd/fleet.h"
#include "hubd/search_query.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread. `fleet` outlives it.
///
/// Two rounds: which directories each connected host has, then the pattern for each. What does not
/// answer in time, or is too much, is left out and named.
class FleetSearch {
 public:
  static constexpr std::chrono::milliseconds kListTime{2000};
  static constexpr std::chrono::milliseconds kSearchTime{5000};
  static constexpr std::size_t kMaxListBytes = 1 << 20;    // of one host
  static constexpr std::size_t kMaxAnswerBytes = 2 << 20;  // of one directory
  static constexpr std::size_t kMaxTotalBytes = 16 << 20;  // of all
  static constexpr std::size_t kMaxQuestions = 512;        // directories

  explicit FleetSearch(Fleet& fleet) : fleet_(fleet) {}

  void handle(const HttpRequest& request, const ResponseWriterPtr& response, const ReaderPtr& reader);

 private:
  Fleet& fleet_;
};

}  // namespace mayfly::hubd
