// Where a stream begins: now, some records back, or where its reader left off.
#pragma once

#include <functional>
#include <optional>

#include "relayd/api_parts.h"
#include "relayd/record_query.h"
#include "relayd/stream_cursor.h"
#include "relayd/subscriber.h"

namespace mayfly::relayd {

struct HistoryWish {
  RecordQuery query;
  bool all = false;  // without `last`: everything that lives (from `since` on), not only what comes
};

/// Finds the place and calls `done` on the loop: at once, or, where finding it takes long, later.
void find_stream_start(const ApiParts& parts, const ReadScope& scope, const NamedDirectory& directory,
                       const HistoryWish& wish, std::function<void(const StreamStart&)> done);

/// The place that a cursor names. Where its segment or directory is gone, the subscriber is told so
/// and begins with the oldest (FollowGroup::add).
StreamStart resume_stream(const NamedDirectory& named, const StreamCursor& cursor);

/// Last-Event-ID, else `?after=`. Nothing: none was given. Error (invalid): not one of our cursors.
shm::Result<std::optional<StreamCursor>> requested_cursor(const ApiCall& call);

}  // namespace mayfly::relayd
