#include "hubd/host_path.h"

#include <algorithm>
#include <string_view>

#include "common/request_target.h"
#include "shm/quotas.h"

namespace mayfly::hubd {
namespace {

constexpr std::string_view kApi = "/api/v1/";
constexpr std::string_view kOfOneDirectory[] = {"status", "logs", "tail", "watch", "keys"};
constexpr std::string_view kListings[] = {"/api/v1/directories", "/metrics", "/readyz", "/healthz"};
constexpr std::string_view kLoki = "/loki/api/v1/";

template <class Words>
bool contains_word(const Words& words, std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

/// The letters of which Loki's paths consist, and label names.
bool is_plain(std::string_view path) {
  return path.find("//") == std::string_view::npos && std::all_of(path.begin(), path.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                  c == '/';
         });
}

/// "/api/v1/logs/app" without what relayd takes for parameters: from a `;` in the last segment on.
std::string_view without_parameters(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return path.substr(0, path.find(';', slash == std::string_view::npos ? 0 : slash));
}

}  // namespace

HostPath read_host_path(const HttpRequest& request) {
  const std::string_view path = without_parameters(request.path);
  if (contains_word(kListings, path)) return {HostPath::Shows::listing, ""};
  if (path.starts_with(kLoki) && path.size() > kLoki.size() && is_plain(path)) {
    return {HostPath::Shows::listing, ""};
  }
  if (!path.starts_with(kApi)) return {};
  const shm::Result<RequestTarget> target = parse_request_target(request);
  if (!target.ok()) return {};
  const std::vector<std::string>& segments = target.value().segments;
  if (segments.size() != 4 && segments.size() != 5) return {};
  const std::string what = segments[2] + "/";
  const bool undisguised = path.substr(kApi.size()).starts_with(what);
  if (!undisguised || !contains_word(kOfOneDirectory, segments[2])) return {};
  if (!shm::valid_directory_name(segments[3])) return {};
  return {HostPath::Shows::directory, segments[3]};
}

bool may_read(const Scope& scope, const HostPath& path) {
  if (scope.everything) return true;
  switch (path.shows) {
    case HostPath::Shows::nothing_known:
      return false;
    case HostPath::Shows::directory:
      return scope.covers(path.directory);
    case HostPath::Shows::listing:
      return !scope.nothing();
  }
  return false;
}

ServerPath split_server_path(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return {};
  path.remove_prefix(prefix.size());
  const std::size_t slash = path.find('/');
  const std::string_view name = path.substr(0, slash);
  if (!shm::valid_directory_name(name)) return {};
  return {std::string(name),
          std::string(slash == std::string_view::npos ? std::string_view() : path.substr(slash))};
}

}  // namespace mayfly::hubd
