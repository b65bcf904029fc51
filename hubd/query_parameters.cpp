#include "hubd/query_parameters.h"

#include <algorithm>
#include <optional>

#include "common/text.h"

namespace mayfly::hubd {
namespace {

std::optional<std::string> decode_query_part(std::string_view text) {
  std::string blanks(text);
  std::replace(blanks.begin(), blanks.end(), '+', ' ');
  return percent_decode(blanks);
}

}  // namespace

shm::Result<QueryParameters> QueryParameters::parse(std::string_view query) {
  QueryParameters out;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (parameter.empty()) continue;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    auto name = decode_query_part(parameter.substr(0, equals));
    auto value = decode_query_part(parameter.substr(std::min(equals + 1, parameter.size())));
    if (!name || !value) return shm::Error{shm::Errc::invalid, "a % without two hex digits"};
    if (out.find(*name) != nullptr) return shm::Error{shm::Errc::invalid, *name + " is given twice"};
    out.parameters_.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

const std::string* QueryParameters::find(std::string_view name) const {
  for (const auto& [key, value] : parameters_) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace mayfly::hubd
