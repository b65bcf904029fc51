#include "common/json_view.h"

#include <algorithm>

#include "common/quota_document.h"
#include "common/text.h"

namespace mayfly {
namespace {

/// Appends "name":"text", and the exact twin where the bytes are not text.
void append_text_field(std::string& out, std::string_view name, std::string_view bytes) {
  out += '"';
  out += name;
  out += "\":";
  append_json_string(out, bytes);
  if (is_utf8(bytes)) return;
  out += ",\"";
  out += name;
  out += "_b64\":\"";
  out += base64_encode(bytes);
  out += '"';
}

void append_number_field(std::string& out, std::string_view name, std::uint64_t value) {
  out += '"';
  out += name;
  out += "\":";
  out += std::to_string(value);
}

void append_time_field(std::string& out, std::uint64_t wall_ns) {
  out += "\"time\":\"";
  out += format_time(wall_ns);
  out += '"';
}

template <class Counts, class Names>
nlohmann::ordered_json counts_json(const Counts& counts, const Names& names) {
  auto out = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0) out[std::string(names[i])] = counts[i];
  }
  return out;
}

nlohmann::ordered_json removed_json(const shm::SegmentInfo& segment) {
  nlohmann::ordered_json out;
  out["stored"] = segment.removed_stored;
  out["replaced"] = segment.removed_replaced;
  out["dropped"] = dropped_json(segment.removed_dropped);
  out["evicted"] = evicted_json(segment.removed_evicted);
  return out;
}

/// Drops that belong to no directory; the common causes always, the others where they happened.
nlohmann::ordered_json unknown_json(const shm::SegmentInfo& segment) {
  auto dropped = nlohmann::ordered_json::object();
  for (const auto cause :
       {shm::DropCause::unknown_directory, shm::DropCause::bad_command, shm::DropCause::stopped}) {
    dropped[std::string(shm::cause_name(cause))] = segment.unattributed[static_cast<std::size_t>(cause)];
  }
  dropped.update(dropped_json(segment.unattributed));
  return {{"dropped", std::move(dropped)}};
}

}  // namespace

void append_log_record(std::string& out, const shm::RecordView& record) {
  out += '{';
  append_number_field(out, "seq", record.seq);
  out += ',';
  append_time_field(out, record.time_ns);
  out += ',';
  append_text_field(out, "key", record.key);
  out += ',';
  append_text_field(out, "line", record.value);
  out += '}';
}

void append_status_record(std::string& out, const shm::RecordView& record, std::uint64_t boot_now_ns,
                          std::uint64_t stale_after_seconds) {
  const std::uint64_t age_ns = boot_now_ns > record.boot_ns ? boot_now_ns - record.boot_ns : 0;
  out += '{';
  append_text_field(out, "key", record.key);
  out += ',';
  append_text_field(out, "value", record.value);
  out += ',';
  append_number_field(out, "seq", record.seq);
  out += ',';
  append_time_field(out, record.time_ns);
  out += ',';
  append_number_field(out, "age_ms", age_ns / 1'000'000);
  if (stale_after_seconds != 0 && age_ns / 1'000'000'000 >= stale_after_seconds) out += ",\"stale\":true";
  out += '}';
}

void append_record(std::string& out, shm::Kind kind, const shm::RecordView& record,
                   std::uint64_t boot_now_ns) {
  if (kind == shm::Kind::status) {
    append_status_record(out, record, boot_now_ns);
  } else {
    append_log_record(out, record);
  }
}

std::uint64_t age_reference_ns(const shm::SegmentInfo& segment, std::uint64_t boot_now_ns) {
  if (segment.same_boot) return boot_now_ns;
  std::uint64_t last = 0;
  for (const auto& worker : segment.workers) last = std::max(last, worker.heartbeat_boot_ns);
  return last;
}

void append_text_record(std::string& out, const shm::RecordView& record) {
  out += format_time(record.time_ns);
  out += ' ';
  out += escape_control(record.key);
  out += ' ';
  out += escape_control(record.value);
}

std::string gap_json(std::optional<std::uint64_t> missed, std::string_view reason) {
  std::string out = "{\"missed\":" + (missed ? std::to_string(*missed) : std::string("null"));
  if (!reason.empty()) {
    out += ",\"reason\":";
    append_json_string(out, reason);
  }
  return out + "}";
}

std::string gap_line_json(std::optional<std::uint64_t> missed, std::string_view reason) {
  return "{\"gap\":" + gap_json(missed, reason) + "}";
}

std::string gap_text(std::optional<std::uint64_t> missed, std::string_view reason) {
  std::string out = "# gap missed=" + (missed ? std::to_string(*missed) : std::string("unknown"));
  if (!reason.empty()) out += " reason=" + escape_control(reason);
  return out;
}

nlohmann::ordered_json quotas_json(shm::Kind kind, const shm::Quotas& quotas) {
  nlohmann::ordered_json out;
  for (std::size_t i = 0; i < kShownQuotaFields; ++i) {
    const QuotaField& field = kQuotaFields[i];
    if (has_quota_field(field, kind)) out[std::string(field.name)] = quotas.*field.member;
  }
  return out;
}

nlohmann::ordered_json dropped_json(const shm::DropCounts& counts) {
  return counts_json(counts, shm::kDropCauseNames);
}

nlohmann::ordered_json evicted_json(const shm::EvictCounts& counts) {
  return counts_json(counts, shm::kEvictCauseNames);
}

nlohmann::ordered_json directory_json(const shm::DirectoryInfo& directory, std::string_view quota_version) {
  nlohmann::ordered_json out;
  const bool any_given = directory.last_time_ns != 0 && directory.next_seq > 1;
  out["kind"] = shm::kind_name(directory.kind);
  out["name"] = escape_invalid_utf8(directory.name);
  out["incarnation"] = directory.incarnation;
  out["quotas"] = quotas_json(directory.kind, directory.quotas);
  out["quota_version"] = escape_invalid_utf8(quota_version);
  if (directory.kind == shm::Kind::status && directory.quotas.stale_after_seconds != 0) {
    out["stale_after_seconds"] = directory.quotas.stale_after_seconds;
  }
  out["keys"] = directory.keys;
  out["records"] = directory.records;
  out["bytes"] = directory.bytes;
  out["first_seq"] = nullptr;
  if (directory.first_seq) out["first_seq"] = *directory.first_seq;
  out["last_seq"] = nullptr;
  if (any_given) out["last_seq"] = directory.next_seq - 1;
  out["last_write"] = nullptr;
  if (any_given) out["last_write"] = format_time(directory.last_time_ns);
  out["stored"] = directory.stored;
  out["replaced"] = directory.replaced;
  out["dropped"] = dropped_json(directory.dropped);
  out["evicted"] = evicted_json(directory.evicted);
  return out;
}

nlohmann::ordered_json directories_json(const shm::SegmentInfo& segment,
                                        const std::vector<shm::DirectoryInfo>& directories) {
  nlohmann::ordered_json out;
  out["directories"] = nlohmann::ordered_json::array();
  for (const auto& directory : directories) {
    out["directories"].push_back(directory_json(directory, segment.applied_version));
  }
  out["removed"] = removed_json(segment);
  out["unknown"] = unknown_json(segment);
  return out;
}

nlohmann::ordered_json segment_use_json(const shm::SegmentInfo& segment) {
  std::uint64_t connections = 0;
  for (const auto& worker : segment.workers) connections += worker.connections;
  return {{"bytes", segment.bytes},
          {"free_bytes", segment.pages_free * segment.page_bytes},
          {"writer_epoch", segment.epoch},
          {"connections", connections}};
}

}  // namespace mayfly
