// Which path of Loki's API is which.
#include "common/loki_request.h"
#include "common/text.h"

namespace mayfly::loki {
namespace {

struct Fixed {
  std::string_view path;
  Endpoint endpoint;
};

constexpr Fixed kFixed[] = {
    {"labels", Endpoint::labels},
    {"label", Endpoint::labels},
    {"series", Endpoint::series},
    {"query", Endpoint::query},
    {"query_range", Endpoint::query_range},
    {"index/stats", Endpoint::index_stats},
    {"index/volume", Endpoint::volume},
    {"index/volume_range", Endpoint::volume_range},
    {"tail", Endpoint::tail},
    {"status/buildinfo", Endpoint::buildinfo},
    {"format_query", Endpoint::format_query},
};

}  // namespace

bool is_loki_path(std::string_view path) { return path.substr(0, kRoot.size()) == kRoot; }

Target find_target(std::string_view path) {
  if (!is_loki_path(path)) return {};
  path.remove_prefix(kRoot.size());
  const std::size_t slash = path.rfind('/');
  path = path.substr(0, path.find(';', slash == std::string_view::npos ? 0 : slash));
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  for (const auto& fixed : kFixed) {
    if (path == fixed.path) return {fixed.endpoint, {}};
  }
  constexpr std::string_view kLabel = "label/";
  constexpr std::string_view kValues = "/values";
  if (path.size() <= kLabel.size() + kValues.size() || path.substr(0, kLabel.size()) != kLabel) return {};
  if (path.substr(path.size() - kValues.size()) != kValues) return {};
  const auto name = percent_decode(path.substr(kLabel.size(), path.size() - kLabel.size() - kValues.size()));
  if (!name || name->find('/') != std::string::npos) return {};
  return {Endpoint::label_values, *name};
}

}  // namespace mayfly::loki
