#include "relayd/keys_api.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/json_view.h"
#include "common/text.h"

namespace mayfly::relayd {
namespace {

/// What is known of one key.
struct KeyUse {
  std::uint64_t records = 0;
  std::uint64_t last_seq = 0;
  std::uint64_t last_time_ns = 0;
};
using KeyUses = std::map<std::string, KeyUse, std::less<>>;

/// Reads the whole directory once, without keeping any value.
KeyUses collect_keys(const ScopedReader& reader, const shm::DirectoryInfo& directory) {
  KeyUses keys;
  const auto count = [&keys](const shm::RecordView& record) {
    auto found = keys.find(record.key);
    if (found == keys.end()) found = keys.emplace(std::string(record.key), KeyUse()).first;
    ++found->second.records;
    found->second.last_seq = record.seq;
    found->second.last_time_ns = record.time_ns;
    return true;
  };
  // Until what was there at the beginning is read; a writer in full swing would have no end.
  shm::ReadLimits limits;
  limits.until_seq = directory.next_seq;
  shm::Cursor cursor;
  while (cursor.next_seq < directory.next_seq) {
    const std::uint64_t before = cursor.next_seq;
    if (reader.read(directory, cursor, limits, count).reached_end || cursor.next_seq == before) break;
  }
  return keys;
}

/// Leaves the `limit` keys that were written last. Returns how many went.
std::size_t keep_newest(KeyUses& keys, std::size_t limit) {
  if (keys.size() <= limit) return 0;
  std::vector<std::uint64_t> seqs;
  for (const auto& [key, use] : keys) seqs.push_back(use.last_seq);
  const auto cut = seqs.begin() + static_cast<std::ptrdiff_t>(limit);
  std::nth_element(seqs.begin(), cut, seqs.end(), std::greater<>());
  const std::uint64_t too_old = *cut;
  return std::erase_if(keys, [too_old](const auto& entry) { return entry.second.last_seq <= too_old; });
}

std::string keys_json(const std::string& directory, KeyUses keys) {
  const std::size_t more = keep_newest(keys, kMaxListedKeys);
  nlohmann::ordered_json answer;
  answer["directory"] = directory;
  answer["keys"] = nlohmann::ordered_json::array();
  for (const auto& [key, use] : keys) {
    nlohmann::ordered_json entry;
    entry["key"] = escape_invalid_utf8(key);
    if (!is_utf8(key)) entry["key_b64"] = base64_encode(key);
    entry["records"] = use.records;
    entry["last_seq"] = use.last_seq;
    entry["last_write"] = format_time(use.last_time_ns);
    answer["keys"].push_back(std::move(entry));
  }
  answer["more"] = more;
  return answer.dump() + "\n";
}

}  // namespace

void answer_keys(const ApiParts& parts, ApiCall call) {
  const auto directory = find_directory(parts, call, shm::Kind::log, true);
  if (!directory) return;
  const auto body = std::make_shared<std::string>();
  const auto send = [body, response = call.response] {
    response->send(200, data_headers("application/json"), *body);
  };
  const auto read = [body, name = directory->where.name()](const ScopedReader* reader) {
    const auto found = reader != nullptr ? reader->find(shm::Kind::log, name) : std::nullopt;
    *body = keys_json(name, found ? collect_keys(*reader, *found) : KeyUses());
  };
  if (!directory->info || is_small(*directory->info)) {
    const auto reader = parts.segment.reader(call.scope);
    read(reader ? &*reader : nullptr);
    return send();
  }
  parts.segment.run(call.scope, read, send);
}

}  // namespace mayfly::relayd
