#include "hubd/quota_book.h"

#include <vector>

#include "common/quota_document.h"
#include "common/tripcode.h"

namespace mayfly::hubd {
namespace {

QuotaDocumentPtr make_document(const HubConfig& config, const Server& server) {
  const shm::Rules rules = config.rules_for(server);
  return std::make_shared<const QuotaDocument>(
      QuotaDocument{"\"" + rules.version + "\"", emit_quota_document(rules)});
}

}  // namespace

QuotaBook::QuotaBook(const HubConfig& config) {
  std::vector<const DirectoryEntry*> narrowed;
  for (const DirectoryEntry& entry : config.directories) {
    if (!entry.servers.empty()) narrowed.push_back(&entry);
  }
  // Servers to which the same entries apply share one document: a fleet has few kinds of hosts.
  std::unordered_map<std::string, QuotaDocumentPtr> shared;
  for (const Server& server : config.servers) {
    std::string profile(1, server.paused ? 'p' : 'r');
    for (const DirectoryEntry* entry : narrowed) profile += entry->covers(server.name) ? '1' : '0';
    QuotaDocumentPtr& document = shared[profile];
    if (!document) document = make_document(config, server);
    entries_.emplace(server.name, Entry{server.key_hash, document});
  }
}

QuotaDocumentPtr QuotaBook::find(std::string_view server, const Blake3Hash& key_hash) const {
  static const Entry kNobody{{}, nullptr};
  const auto found = entries_.find(std::string(server));
  const Entry& entry = found == entries_.end() ? kNobody : found->second;
  return same_hash(entry.key_hash, key_hash) ? entry.document : nullptr;
}

}  // namespace mayfly::hubd
