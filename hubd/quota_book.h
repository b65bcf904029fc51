// The quota documents of all servers, made once for each configuration.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/blake3.h"
#include "hubd/hub_config.h"

namespace mayfly::hubd {

struct QuotaDocument {
  std::string etag;  // the version in quotes
  std::string body;
};

using QuotaDocumentPtr = std::shared_ptr<const QuotaDocument>;

/// Immutable after construction.
class QuotaBook {
 public:
  explicit QuotaBook(const HubConfig& config);

  /// The document of `server`, if `key_hash` is the hash of its key. Nothing for an unknown server
  /// and for another key alike, after the same work.
  QuotaDocumentPtr find(std::string_view server, const Blake3Hash& key_hash) const;
  std::size_t servers() const { return entries_.size(); }

 private:
  struct Entry {
    Blake3Hash key_hash;
    QuotaDocumentPtr document;
  };
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace mayfly::hubd
