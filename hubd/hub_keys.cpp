#include "hubd/hub_keys.h"

namespace mayfly::hubd {
namespace {

constexpr ConfigKey kHubKeys[] = {
    {"listen", "address", "127.0.0.1:4000", "Where the hub listens; port 0 takes a free one."},
    {"hosts", "list of text", "none",
     "Host names to answer to, besides loopback names and the listener's own address."},
    {"behind_proxy", "flag", "false",
     "A proxy of yours ends TLS and says who may come: nobody logs in here, its readers have every right."},
    {"max_connections", "integer", "16384", "Connections open at a time; each host holds a few."},
    {"max_connections_per_source", "integer", "12288",
     "Of these, from one address (IPv6: one /64); with `behind_proxy`, as `max_connections`."},
    {"servers", "list of maps", "none", "The hosts that may fetch their quotas here, and be read."},
    {"users", "list of maps", "none", "People who log in. None: on loopback everybody may read everything."},
    {"scraper_keys", "list of maps", "none", "Programs that read with a key."},
    {"tls", "map", "none", "TLS of the hub's own, at every listener."},
    {"directories", "list of maps", "none",
     "Directories and patterns, in order: the first pattern that fits a name counts."},
};

constexpr ConfigKey kServerKeys[] = {
    {"name", "name", "required", "The host's name."},
    {"tripcode", "tripcode", "required", "What `relayd --print-tripcode` prints at the host."},
    {"display_name", "text", "as name", "For people."},
    {"paused", "flag", "false", "Stops the host's ingest; what is stored stays."},
};

constexpr ConfigKey kUserKeys[] = {
    {"name", "name", "required", "The login name."},
    {"password", "text", "required", "A hash by libcrypt, such as `$y$...`; `mayfly hub add-user` makes it."},
    {"rights", "list of maps", "none", "What this person may see."},
};

constexpr ConfigKey kScraperKeyKeys[] = {
    {"name", "name", "required", "For people."},
    {"hash", "tripcode", "required", "The key's hash, in the form of a tripcode."},
    {"not_before", "time", "required", "RFC 3339."},
    {"not_after", "time", "required", "RFC 3339; at most 30 days after `not_before`."},
    {"rights", "list of maps", "none", "What this program may see."},
};

constexpr ConfigKey kRightKeys[] = {
    {"server", "name", "required", "A server's name, or `*` for all of them."},
    {"prefix", "text", "required", "Directories whose names begin so; empty for all of them."},
};

constexpr ConfigKey kTlsKeys[] = {
    {"certificate", "path", "required", "The certificate chain, PEM."},
    {"key", "path", "required", "Its private key, PEM; closed to others."},
};

constexpr ConfigKey kDirectoryKeys[] = {
    {"kind", "log, status", "required", "Whether keys hold lines or one value each."},
    {"name", "name", "this or pattern", "One directory."},
    {"pattern", "pattern", "this or name", "Every directory whose name fits; `*` is any run of characters."},
    {"servers", "list of names", "all", "The servers that get this entry."},
    {"max_directories", "integer", "64",
     "How many directories a pattern may open at one host. Patterns only."},
    {"max_keys", "integer", "1024", "Live keys."},
    {"max_key_bytes", "size", "1024", "A key's length."},
    {"max_value_bytes", "size", "1024", "A value's, or a line's, length."},
    {"max_total_bytes", "size", "262144", "All live keys and values; each record counts both."},
    {"max_bytes_per_key", "size", "as max_total_bytes", "The same within one key."},
    {"max_events_per_key", "integer", "2048", "Live lines of one key. Logs only."},
    {"max_age", "age", "24h", "How long a record lives; 0 stores and evicts at once."},
    {"when_keys_full", "evict, drop", "evict",
     "A new key beyond max_keys evicts the least recently written one, or is dropped."},
    {"reserve", "size", "0", "Memory that other directories never take."},
    {"stale_after", "age", "never", "A value not written for so long is shown as stale. Status only."},
};

}  // namespace

const ConfigTable kHubTable{"hub", kHubKeys};
const ConfigTable kServerTable{"hub.servers", kServerKeys};
const ConfigTable kUserTable{"hub.users", kUserKeys};
const ConfigTable kScraperKeyTable{"hub.scraper_keys", kScraperKeyKeys};
const ConfigTable kRightTable{"hub.rights", kRightKeys};
const ConfigTable kTlsTable{"hub.tls", kTlsKeys};
const ConfigTable kDirectoryTable{"hub.directories", kDirectoryKeys};

std::span<const ConfigTable* const> hub_config_tables() {
  static constexpr const ConfigTable* kTables[] = {
      &kHubTable, &kServerTable, &kUserTable, &kScraperKeyTable, &kRightTable, &kTlsTable, &kDirectoryTable};
  return kTables;
}

}  // namespace mayfly::hubd
