// What hosts answered to Loki's questions, put together. Pure functions, any thread.
//
// A host's answer is a stranger's word: whatever it says, the label `server` is the hub's, and a
// directory that the reader may not see is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/loki_answer.h"
#include "common/loki_request.h"
#include "hubd/access.h"

namespace mayfly::hubd {

inline constexpr std::string_view kServerLabel = "server";

/// One host's answer, and how it is to be read.
struct LokiHostPart {
  std::string server;
  Scope scope;
  bool keeps_label = true;  // `server` is to be among the labels
  std::size_t leaf = 0;     // of a metric query
  int status = 0;
  std::string body;
  std::string problem;  // where there is no answer to be read; for people
};

/// The labels of a host's stream or series as they go out. Nothing: not labels, or outside the scope.
/// `object` is text in JSON.
struct LokiHostStreams {
  std::vector<loki::Stream> streams;
  bool cut = false;  // it said that there is more than it could send
};
/// Of query_range. Nothing: malformed.
std::optional<LokiHostStreams> read_host_streams(const LokiHostPart& part);
/// One message of a host's tail. False: malformed.
bool read_host_frame(const LokiHostPart& part, std::string_view json, std::vector<loki::Stream>& streams,
                     std::vector<loki::DroppedEntries>& dropped);
/// Of query_range with samples. Nothing: malformed, or not of that grid.
std::optional<logql::Matrix> read_host_matrix(const LokiHostPart& part, const logql::Grid& grid);
/// Of query with samples at one time, whatever that time is.
std::optional<logql::Matrix> read_host_vector(const LokiHostPart& part);
/// Of labels and label values.
std::optional<std::vector<std::string>> read_host_names(const LokiHostPart& part);
/// Of series.
std::optional<std::vector<logql::Labels>> read_host_series(const LokiHostPart& part);

struct LokiIndexSums {
  std::uint64_t streams = 0, chunks = 0, entries = 0, bytes = 0;
};
bool add_host_stats(const LokiHostPart& part, LokiIndexSums& sums);

/// The warning of a part that cannot be read.
std::string malformed_answer(const LokiHostPart& part);

struct MergedStreams {
  std::vector<loki::Stream> streams;
  std::uint64_t entries = 0;
};
/// By time: at most `limit` entries, but all of the last time. Nothing beyond the place where a host
/// that has more had to stop, so that whoever pages by time skips nothing.
MergedStreams merge_streams(std::vector<LokiHostStreams> hosts, std::uint64_t limit, bool forward,
                            std::uint64_t interval_ns);

}  // namespace mayfly::hubd
