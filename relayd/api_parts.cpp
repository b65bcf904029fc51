#include "relayd/api_parts.h"

#include "common/name_pattern.h"
#include "common/text.h"

namespace mayfly::relayd {
namespace {

constexpr std::uint64_t kRecordOverhead = 64;  // of a view and its copy

/// True where the rules list the name, or (with `patterns`) allow it.
bool is_listed(const shm::Rules* rules, shm::Kind kind, std::string_view name, bool patterns) {
  if (rules == nullptr || !shm::valid_directory_name(name)) return false;
  for (const auto& rule : rules->rules) {
    if (rule.kind != kind) continue;
    if (rule.pattern ? patterns && name_matches(rule.name, name) : rule.name == name) return true;
  }
  return false;
}

}  // namespace

std::optional<NamedDirectory> find_directory(const ApiParts& parts, const ApiCall& call, shm::Kind kind,
                                             bool may_wait) {
  const std::string& name = call.target.segments[3];
  const auto where = call.scope.admit(kind, name);
  const auto reader = parts.segment.reader(call.scope);
  if (where) {
    NamedDirectory named{*where, reader ? reader->find(kind, name) : std::nullopt};
    if (named.info) return named;
    if (is_listed(parts.rules(), kind, name, may_wait) && (reader || may_wait)) return named;
  }
  if (!reader) {
    send_problem(*call.response, 503, "no_segment", parts.segment.problem());
  } else {
    send_problem(*call.response, 404, "no_such_directory",
                 "there is no " + std::string(shm::kind_name(kind)) + " directory " + escape_control(name));
  }
  return std::nullopt;
}

HttpHeaders data_headers(std::string_view content_type) {
  return {{"Content-Type", std::string(content_type)},
          {"Cache-Control", "no-store"},
          {"X-Content-Type-Options", "nosniff"}};
}

void send_bad_request(ResponseWriter& response, const shm::Error& error) {
  send_problem(response, 400, "bad_request", error.text);
}

bool is_small(const shm::DirectoryInfo& directory) {
  if (directory.bytes > kSnapshotBytes || directory.records > kSnapshotBytes / kRecordOverhead) return false;
  return directory.bytes + directory.records * kRecordOverhead <= kSnapshotBytes;
}

}  // namespace mayfly::relayd
