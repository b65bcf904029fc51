// What readers see of a segment, as JSON: the same objects from relayd and from the command line.
// Integers are exact up to 2^64-1. Text that is not UTF-8 has a twin field `..._b64`.
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/quotas.h"
#include "shm/reader.h"

namespace mayfly {

/// Appends {"seq":98,"time":"...","key":"web","line":"..."} without a line end.
void append_log_record(std::string& out, const shm::RecordView& record);

/// Appends {"key":"pid","value":"123","seq":9,"time":"...","age_ms":12} without a line end.
/// `boot_now_ns`: what ages are counted up to (age_reference_ns). Older than `stale_after_seconds` (0:
/// never): with "stale":true at its end.
void append_status_record(std::string& out, const shm::RecordView& record, std::uint64_t boot_now_ns,
                          std::uint64_t stale_after_seconds = 0);

/// Appends either, by kind.
void append_record(std::string& out, shm::Kind kind, const shm::RecordView& record,
                   std::uint64_t boot_now_ns);

/// The boot-time clock that ages are counted up to: `boot_now_ns` on the segment's own boot, else
/// its last heartbeat.
std::uint64_t age_reference_ns(const shm::SegmentInfo& segment, std::uint64_t boot_now_ns);

/// `time key line` for text/plain and terminals, control bytes escaped, without a line end.
void append_text_record(std::string& out, const shm::RecordView& record);

/// {"gap":{"missed":12}}, one line of NDJSON without its end. Nothing: {"missed":null,"reason":...}.
std::string gap_line_json(std::optional<std::uint64_t> missed, std::string_view reason = {});
/// {"missed":12}, the data of an SSE gap event.
std::string gap_json(std::optional<std::uint64_t> missed, std::string_view reason = {});
/// "# gap missed=12"
std::string gap_text(std::optional<std::uint64_t> missed, std::string_view reason = {});

/// {"max_keys":1024,...}; max_events_per_key for logs only.
nlohmann::ordered_json quotas_json(shm::Kind kind, const shm::Quotas& quotas);

/// Causes that are not 0, in their order: {"value_too_long":1}.
nlohmann::ordered_json dropped_json(const shm::DropCounts& counts);
nlohmann::ordered_json evicted_json(const shm::EvictCounts& counts);

/// One element of "directories". A status that may become stale says "stale_after_seconds".
nlohmann::ordered_json directory_json(const shm::DirectoryInfo& directory, std::string_view quota_version);

/// The answer of /api/v1/directories: {"directories":[...],"removed":{...},"unknown":{...}}.
nlohmann::ordered_json directories_json(const shm::SegmentInfo& segment,
                                        const std::vector<shm::DirectoryInfo>& directories);

/// Its member "segment", for those who may see the whole host:
/// {"bytes":...,"free_bytes":...,"writer_epoch":...,"connections":...}.
nlohmann::ordered_json segment_use_json(const shm::SegmentInfo& segment);

}  // namespace mayfly
