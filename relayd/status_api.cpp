#include "relayd/status_api.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/json_view.h"
#include "common/text.h"
#include "relayd/record_listing.h"

namespace mayfly::relayd {
namespace {

/// One value, copied out.
struct Value {
  std::uint64_t seq = 0;
  std::uint64_t time_ns = 0;
  std::string bytes;
};

std::optional<Value> read_value(const ScopedReader& reader, const shm::DirectoryInfo& directory,
                                const std::string& key) {
  const auto record = reader.get(directory, key);
  if (!record) return std::nullopt;
  return Value{record->seq, record->time_ns, std::string(record->value)};
}

/// The value's bytes as they are, in a form that no browser runs.
void send_value(ResponseWriter& response, const std::optional<Value>& value) {
  if (!value) return send_problem(response, 404, "no_such_key", "the directory holds no such key");
  const bool text = is_utf8(value->bytes);
  HttpHeaders headers = data_headers(text ? "text/plain; charset=utf-8" : "application/octet-stream");
  headers.emplace_back("Content-Security-Policy", "sandbox; default-src 'none'");
  headers.emplace_back("Mayfly-Seq", std::to_string(value->seq));
  headers.emplace_back("Mayfly-Time", format_time(value->time_ns));
  response.send(200, headers, value->bytes);
}

void answer_value(const ApiParts& parts, const ApiCall& call, const NamedDirectory& directory,
                  const std::string& key) {
  const auto reader = parts.segment.reader(call.scope);
  if (!reader || !directory.info) return send_value(*call.response, std::nullopt);
  send_value(*call.response, read_value(*reader, *directory.info, key));
}

/// Fills the listing from a snapshot: keys with the prefix, sorted.
void list_keys(RecordListing& listing, const std::string& prefix) {
  for (const auto& record : listing.snapshot.records) {
    if (record.key.substr(0, prefix.size()) == prefix) listing.records.push_back(record);
  }
  std::sort(listing.records.begin(), listing.records.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
}

void read_listing(const ScopedReader& reader, const std::string& name, const std::string& prefix,
                  const shm::Clocks& clocks, RecordListing& listing) {
  const auto directory = reader.find(shm::Kind::status, name);
  if (!directory) return;
  listing.snapshot = reader.snapshot(*directory);
  const std::uint64_t reference = age_reference_ns(reader.info(), clocks.boot_ns());
  listing.append = [reference, stale = directory->quotas.stale_after_seconds](std::string& out,
                                                                              const shm::RecordView& record) {
    append_status_record(out, record, reference, stale);
  };
  list_keys(listing, prefix);
}

void answer_list(const ApiParts& parts, const ApiCall& call, const NamedDirectory& directory) {
  const std::string* given = call.target.parameter("prefix");
  const std::string prefix = given != nullptr ? *given : std::string();
  auto listing = std::make_shared<RecordListing>();
  listing->before = "{\"directory\":";
  append_json_string(listing->before, directory.where.name());
  listing->before += ",\"keys\":[";
  listing->between = ",";
  listing->after = "]}\n";
  const auto send = [&slices = parts.slices, response = call.response, listing] {
    send_listing(slices, response, data_headers("application/json"), listing);
  };
  const auto reader = parts.segment.reader(call.scope);
  const std::string& name = directory.where.name();
  if (!reader || !directory.info || is_small(*directory.info)) {
    if (reader) read_listing(*reader, name, prefix, parts.segment.clocks(), *listing);
    return send();
  }
  parts.segment.run(
      call.scope,
      [listing, name, prefix, &clocks = parts.segment.clocks()](const ScopedReader* own) {
        if (own != nullptr) read_listing(*own, name, prefix, clocks, *listing);
      },
      send);
}

}  // namespace

void answer_status(const ApiParts& parts, ApiCall call) {
  const auto key = requested_key(call.target, 4);
  if (!key.ok()) return send_bad_request(*call.response, key.error());
  const auto directory = find_directory(parts, call, shm::Kind::status, false);
  if (!directory) return;
  if (key.value()) return answer_value(parts, call, *directory, *key.value());
  answer_list(parts, call, *directory);
}

}  // namespace mayfly::relayd
