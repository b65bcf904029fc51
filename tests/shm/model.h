// The naive reference: what the contract says of one directory, with vectors and no cleverness.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shm/quotas.h"
#include "shm/writer.h"

namespace mayfly::shm::test {

struct ModelRecord {
  std::uint64_t seq;
  std::uint64_t boot_ns;
  std::string key;
  std::string value;
  std::uint64_t size() const { return key.size() + value.size(); }
  friend bool operator==(const ModelRecord&, const ModelRecord&) = default;
};

class ModelDirectory {
 public:
  ModelDirectory(Kind of_kind, const Quotas& first) : kind(of_kind), quotas(first) {}

  Kind kind;
  Quotas quotas;
  std::vector<ModelRecord> live;
  std::uint64_t next_seq = 1;
  std::uint64_t stored = 0;
  std::uint64_t replaced = 0;
  DropCounts dropped{};
  EvictCounts evicted{};
  std::uint64_t last_boot = 0;

  std::uint64_t bytes() const {
    std::uint64_t n = 0;
    for (const ModelRecord& r : live) n += r.size();
    return n;
  }
  std::uint64_t key_events(const std::string& key) const {
    return static_cast<std::uint64_t>(
        std::count_if(live.begin(), live.end(), [&](const ModelRecord& r) { return r.key == key; }));
  }
  std::uint64_t key_bytes(const std::string& key) const {
    std::uint64_t n = 0;
    for (const ModelRecord& r : live) n += r.key == key ? r.size() : 0;
    return n;
  }
  std::uint64_t keys() const {
    std::map<std::string, int> seen;
    for (const ModelRecord& r : live) seen[r.key] = 1;
    return seen.size();
  }

  std::optional<DropCause> append(const std::string& key, const std::string& value, std::uint64_t boot,
                                  std::uint64_t max_record) {
    evict_due(boot);
    const std::optional<DropCause> cause = judge(key, value, max_record);
    if (cause) {
      ++dropped[static_cast<std::size_t>(*cause)];
      return cause;
    }
    const std::uint64_t size = key.size() + value.size();
    if (key_events(key) == 0) {
      while (keys() >= quotas.max_keys) evict_key(quietest(), EvictCause::keys);
    }
    if (kind == Kind::status) {
      if (key_events(key) > 0) {
        erase_oldest_of(key);
        ++replaced;
      }
    } else {
      while (key_events(key) >= quotas.max_events_per_key) evict_oldest_of(key, EvictCause::events_per_key);
      while (key_bytes(key) > quotas.max_bytes_per_key - size)
        evict_oldest_of(key, EvictCause::bytes_per_key);
    }
    while (bytes() > quotas.max_total_bytes - size) evict_oldest(EvictCause::total_bytes);
    last_boot = std::max(last_boot, boot);
    live.push_back({next_seq++, last_boot, key, value});
    ++stored;
    evict_due_if_zero(boot);
    return std::nullopt;
  }

  bool unset(const std::string& key, std::uint64_t boot) {
    evict_due(boot);
    if (key_events(key) == 0) return false;
    evict_key(key, EvictCause::unset);
    return true;
  }

  void evict_due(std::uint64_t boot) {
    while (!live.empty() &&
           (boot - std::min(boot, live.front().boot_ns)) / 1'000'000'000 >= quotas.max_age_seconds) {
      evict_oldest(EvictCause::age);
    }
  }

  void apply(const Quotas& fresh, std::uint64_t boot) {
    const auto length_ok = [&](const ModelRecord& r) {
      return r.key.size() <= fresh.max_key_bytes && r.value.size() <= fresh.max_value_bytes &&
             (kind == Kind::log || r.size() <= fresh.max_bytes_per_key);
    };
    erase_if_not(length_ok);
    if (kind == Kind::log) {
      for (std::size_t i = 0; i < live.size();) {
        const std::string key = live[i].key;
        if (key_events(key) > fresh.max_events_per_key || key_bytes(key) > fresh.max_bytes_per_key) {
          live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
          count(EvictCause::quota_lowered);
        } else {
          ++i;
        }
      }
    }
    while (keys() > fresh.max_keys) evict_key(quietest(), EvictCause::quota_lowered);
    while (bytes() > fresh.max_total_bytes) evict_oldest(EvictCause::quota_lowered);
    quotas = fresh;
    evict_due(boot);
  }

 private:
  void count(EvictCause cause) { ++evicted[static_cast<std::size_t>(cause)]; }

  std::optional<DropCause> judge(const std::string& key, const std::string& value,
                                 std::uint64_t max_record) const {
    const std::uint64_t size = key.size() + value.size();
    if (key.size() > quotas.max_key_bytes) return DropCause::key_too_long;
    if (value.size() > quotas.max_value_bytes) return DropCause::value_too_long;
    if (size > quotas.max_total_bytes || size > quotas.max_bytes_per_key || size > max_record) {
      return DropCause::record_too_large;
    }
    if (quotas.max_keys == 0) return DropCause::too_many_keys;
    if (kind == Kind::log && quotas.max_events_per_key == 0) return DropCause::too_many_events;
    if (quotas.drop_when_keys_full && key_events(key) == 0 && keys() >= quotas.max_keys)
      return DropCause::too_many_keys;
    return std::nullopt;
  }
  /// The key whose newest record is the oldest of all newest ones.
  std::string quietest() const {
    for (const ModelRecord& r : live) {
      const auto newest =
          std::find_if(live.rbegin(), live.rend(), [&](const ModelRecord& o) { return o.key == r.key; });
      if (newest->seq == r.seq) return r.key;
    }
    return {};
  }
  void evict_key(const std::string& key, EvictCause cause) {
    for (std::uint64_t n = key_events(key); n > 0; --n) evict_oldest_of(key, cause);
  }
  void erase_oldest_of(const std::string& key) {
    live.erase(std::find_if(live.begin(), live.end(), [&](const ModelRecord& r) { return r.key == key; }));
  }
  void evict_oldest_of(const std::string& key, EvictCause cause) {
    erase_oldest_of(key);
    count(cause);
  }
  void evict_oldest(EvictCause cause) {
    live.erase(live.begin());
    count(cause);
  }
  void evict_due_if_zero(std::uint64_t boot) {
    if (quotas.max_age_seconds == 0) evict_due(boot);
  }
  template <class Keep>
  void erase_if_not(Keep keep) {
    for (std::size_t i = 0; i < live.size();) {
      if (keep(live[i])) {
        ++i;
      } else {
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
        count(EvictCause::quota_lowered);
      }
    }
  }
};

}  // namespace mayfly::shm::test
