// The query of a request, decoded. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shm/result.h"

namespace mayfly::hubd {

/// `a=b&c=d` with percent-coding, `+` as a blank. No name comes twice.
class QueryParameters {
 public:
  /// Errors (invalid): a `%` without two hex digits, a name that is given twice.
  static shm::Result<QueryParameters> parse(std::string_view query);

  /// Null: not given.
  const std::string* find(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace mayfly::hubd
