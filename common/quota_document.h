// The quota document: what a hub tells a host about its directories (docs/quota-protocol.md).
//
//   {"version":"…","paused":false,"directories":[
//     {"kind":"log","name":"demo","max_keys":1024,"max_key_bytes":1024,"max_value_bytes":1024,
//      "max_total_bytes":262144,"max_bytes_per_key":262144,"max_events_per_key":2048,
//      "max_age_seconds":86400,"reserve_bytes":0,"when_keys_full":"evict"},
//     {"kind":"status","pattern":"app-*","max_directories":64, … ,"stale_after_seconds":0}]}
//
// Integers are exact to 2^64-1. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "shm/control.h"
#include "shm/quotas.h"
#include "shm/result.h"

namespace mayfly {

/// The largest document that a host accepts: room for kMaxRules rules with the longest names.
inline constexpr std::size_t kMaxQuotaDocumentBytes = 8 << 20;

/// One number of shm::Quotas with its name in documents and in the read API. `log_only` numbers
/// have no meaning for a status, `status_only` ones none for a log.
struct QuotaField {
  std::string_view name;
  std::uint64_t shm::Quotas::*member;
  bool log_only = false;
  bool status_only = false;
};

/// max_keys .. max_age_seconds, in the contract's order; then reserve_bytes, stale_after_seconds.
inline constexpr QuotaField kQuotaFields[] = {
    {"max_keys", &shm::Quotas::max_keys},
    {"max_key_bytes", &shm::Quotas::max_key_bytes},
    {"max_value_bytes", &shm::Quotas::max_value_bytes},
    {"max_total_bytes", &shm::Quotas::max_total_bytes},
    {"max_bytes_per_key", &shm::Quotas::max_bytes_per_key},
    {"max_events_per_key", &shm::Quotas::max_events_per_key, true, false},
    {"max_age_seconds", &shm::Quotas::max_age_seconds},
    {"reserve_bytes", &shm::Quotas::reserve_bytes},
    {"stale_after_seconds", &shm::Quotas::stale_after_seconds, false, true},
};
/// How many of kQuotaFields, from the front, are quotas proper (shown as `quotas` to readers).
inline constexpr std::size_t kShownQuotaFields = 7;

/// True where a directory of `kind` has this field.
constexpr bool has_quota_field(const QuotaField& field, shm::Kind kind) {
  return kind == shm::Kind::log ? !field.status_only : !field.log_only;
}

/// The document of `rules`, every field written out, without blanks or a final newline. Births
/// are not part of it. `rules.version` must be set.
std::string emit_quota_document(const shm::Rules& rules);

/// A version for `rules`: a hash of all that the document says but its version, so the same rules
/// have the same version in every process. 32 hexadecimal digits.
std::string quota_version(const shm::Rules& rules);

/// Reads a document. Rules keep their order; births are 0. A field that is left out has its
/// default (max_bytes_per_key: as max_total_bytes); `version` and `directories` must be there.
/// Unknown members are passed over: later hubs may say more. Errors (invalid, with the place in
/// words): text that is no JSON, a member given twice, an unknown kind, a bad or doubled name or
/// pattern, too many rules, any number that is not an integer of 0 to 2^64-1.
shm::Result<shm::Rules> parse_quota_document(std::string_view text);

}  // namespace mayfly
