// What the handlers of the read API work with, and what they share.
#pragma once

#include <uv.h>

#include <functional>
#include <optional>
#include <string>

#include "common/http_message.h"
#include "common/http_server.h"
#include "common/request_target.h"
#include "relayd/follow_hub.h"
#include "relayd/read_scope.h"
#include "relayd/reading_counts.h"
#include "relayd/segment_access.h"
#include "relayd/slice_runner.h"
#include "relayd/tunnel_counts.h"
#include "shm/control.h"

namespace mayfly::relayd {

/// Directories up to this size are answered from one snapshot; larger ones are read in slices.
inline constexpr std::uint64_t kSnapshotBytes = 1 << 20;

/// Everything outlives the handlers. One loop thread.
struct ApiParts {
  uv_loop_t* loop;
  SegmentAccess segment;
  SliceRunner& slices;
  FollowHub& follow;
  /// The rules in force; null before the first ones.
  std::function<const shm::Rules*()> rules;
  /// Nothing: there is no tunnel.
  std::function<std::optional<TunnelCounts>()> tunnel;
  /// Of the listeners; may be null.
  std::function<HttpServerCounts()> server;
  std::function<ReadingCounts()> reading;
};

/// One request on its way through a handler.
struct ApiCall {
  HttpRequest request;
  RequestTarget target;
  ResponseWriterPtr response;
  ReadScope scope;
};

/// A directory that a request named: in the segment, or only in the relay's list as yet.
struct NamedDirectory {
  VisibleDirectory where;
  std::optional<shm::DirectoryInfo> info;
};

/// Finds the directory of the path (its fourth segment). Answers 404 (also for one outside the
/// request's scope, in the same words) or 503 itself, and returns nothing then. `may_wait`: a name that only
/// a pattern allows, not open yet, counts as there.
std::optional<NamedDirectory> find_directory(const ApiParts& parts, const ApiCall& call, shm::Kind kind,
                                             bool may_wait);

/// Headers of every answer that carries stored data.
HttpHeaders data_headers(std::string_view content_type);

/// A 400 with `error`'s text.
void send_bad_request(ResponseWriter& response, const shm::Error& error);

/// True where one snapshot of the directory is cheap enough to be taken on the loop.
bool is_small(const shm::DirectoryInfo& directory);

}  // namespace mayfly::relayd
