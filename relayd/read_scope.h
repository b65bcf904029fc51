// What one request may see. There is no way to a directory's records but through a scope
// (SegmentAccess, FollowHub), so a new path cannot forget it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_message.h"
#include "shm/quotas.h"
#include "shm/result.h"

namespace mayfly::relayd {

class ReadScope;

/// A kind and a name that a scope covers, whether or not there is such a directory.
class VisibleDirectory {
 public:
  shm::Kind kind() const { return kind_; }
  const std::string& name() const { return name_; }

 private:
  friend class ReadScope;
  VisibleDirectory(shm::Kind kind, std::string name) : kind_(kind), name_(std::move(name)) {}

  shm::Kind kind_;
  std::string name_;
};

/// Copyable; immutable, any thread.
class ReadScope {
 public:
  /// For readers that nobody narrowed.
  static ReadScope everything() { return ReadScope(std::nullopt); }
  /// What `request` may see: all, unless it came through the tunnel with the hub's header.
  /// Errors (invalid): the header is malformed, or there twice.
  static shm::Result<ReadScope> of(const HttpRequest& request);

  bool sees_everything() const { return !prefixes_.has_value(); }
  bool covers(std::string_view directory) const;
  /// Nothing: outside.
  std::optional<VisibleDirectory> admit(shm::Kind kind, std::string_view directory) const;

 private:
  explicit ReadScope(std::optional<std::vector<std::string>> prefixes) : prefixes_(std::move(prefixes)) {}

  std::optional<std::vector<std::string>> prefixes_;
};

}  // namespace mayfly::relayd
