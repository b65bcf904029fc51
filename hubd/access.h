// Who reads, and what they may read: the one place that decides it.
//
// People come with a session's cookie, programs with a key, and where nobody has to log in (loopback
// without users, or behind a proxy) everybody has every right.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_message.h"
#include "hubd/hub_config.h"

namespace mayfly::hubd {

/// Somebody who reads, for as long as one request lasts or one stream is open.
struct Reader {
  enum class Kind { nobody, everybody, person, program };
  Kind kind = Kind::nobody;
  std::string name;  // of the user or of the scraper key; empty for the others
  std::vector<Right> rights;
};
using ReaderPtr = std::shared_ptr<const Reader>;

/// What one reader may see of one server.
struct Scope {
  bool everything = false;
  std::vector<std::string> prefixes;  // of directory names; empty and not everything: nothing

  bool nothing() const { return !everything && prefixes.empty(); }
  bool covers(std::string_view directory) const;
};

/// Pure: what `reader` may see of `server`, which need not exist.
Scope scope_for(const Reader& reader, std::string_view server);
/// True where everything in `inner` is in `outer` too.
bool contains(const Scope& outer, const Scope& inner);
/// The audit log, the strangers: the right to `*` with an empty prefix.
bool may_administer(const Reader& reader);
/// True where `now` still has every right of `before`.
bool keeps_rights(const Reader& now, const Reader& before);

/// People have to log in here. False: everybody who reaches the listener is Kind::everybody.
bool needs_login(const HubConfig& config);

}  // namespace mayfly::hubd
