// name=value pairs as queries and HTML forms carry them, where a name may come more than once.
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http_message.h"
#include "shm/result.h"

namespace mayfly {

class FormFields {
 public:
  /// Of a request: its query, the end of its path (`;limit=5`, since some relays drop query strings),
  /// and the body of a POST with application/x-www-form-urlencoded. Errors (invalid): a `%` without
  /// two hexadecimal digits.
  static shm::Result<FormFields> of(const HttpRequest& request);

  /// Reads `text` on top of what is there. `plus_is_blank`: as forms do. Errors as above.
  shm::Status read(std::string_view text, char separator, bool plus_is_blank);
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// Removes all of that name.
  void remove(std::string_view name);

  /// The first of that name; null: none.
  const std::string* get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  /// As a query, percent-encoded.
  std::string to_query() const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace mayfly
