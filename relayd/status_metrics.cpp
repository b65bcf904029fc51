#include "relayd/status_metrics.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "common/text.h"
#include "relayd/metrics.h"

namespace mayfly::relayd {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

/// One status key as the scrape shows it.
struct StatusSample {
  std::string key;                   // as a label
  std::optional<std::string> value;  // where it is a number
  std::uint64_t time_ns = 0;
};

/// What one directory has to show.
struct DirectoryStatus {
  std::string_view name;
  std::vector<StatusSample> samples;  // sorted by key
  std::uint64_t stale = 0;
  std::uint64_t left_out = 0;
};

std::string seconds_text(std::uint64_t ns) {
  std::string fraction = std::to_string(ns % kNsPerSecond);
  fraction.insert(0, 9 - fraction.size(), '0');
  return std::to_string(ns / kNsPerSecond) + "." + fraction;
}

DirectoryStatus collect_status(const ScopedReader& reader, const shm::DirectoryInfo& directory,
                               std::uint64_t boot_now_ns) {
  DirectoryStatus status{directory.name, {}, 0, 0};
  const std::uint64_t stale_seconds = directory.quotas.stale_after_seconds;
  const auto snapshot = reader.snapshot(directory);
  for (const auto& record : snapshot.records) {
    const std::uint64_t age_ns = boot_now_ns > record.boot_ns ? boot_now_ns - record.boot_ns : 0;
    if (stale_seconds != 0 && age_ns / kNsPerSecond >= stale_seconds) {
      ++status.stale;
      continue;
    }
    status.samples.push_back({escape_invalid_utf8(record.key), sample_value(record.value), record.time_ns});
  }
  // Two keys may look the same once escaped; a series must not come twice.
  const auto by_key = [](const StatusSample& a, const StatusSample& b) { return a.key < b.key; };
  const auto same_key = [](const StatusSample& a, const StatusSample& b) { return a.key == b.key; };
  auto& samples = status.samples;
  std::stable_sort(samples.begin(), samples.end(), by_key);
  samples.erase(std::unique(samples.begin(), samples.end(), same_key), samples.end());
  return status;
}

void limit_keys(std::vector<DirectoryStatus>& all, std::size_t max_keys) {
  std::vector<std::size_t> wanted;
  wanted.reserve(all.size());
  for (const auto& status : all) wanted.push_back(status.samples.size());
  const std::vector<std::size_t> shares = fair_shares(wanted, max_keys);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].left_out = wanted[i] - shares[i];
    all[i].samples.resize(shares[i]);
  }
}

}  // namespace

std::vector<std::size_t> fair_shares(const std::vector<std::size_t>& wanted, std::size_t limit) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  std::vector<std::size_t> shares(wanted.size());
  std::size_t left = limit;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t share = std::min(wanted[order[i]], left / (order.size() - i));
    shares[order[i]] = share;
    left -= share;
  }
  return shares;
}

void put_status_metrics(MetricsText& text, const ScopedReader& reader,
                        const std::vector<shm::DirectoryInfo>& directories, std::uint64_t boot_now_ns,
                        std::size_t max_keys) {
  std::vector<DirectoryStatus> all;
  for (const auto& directory : directories) {
    if (directory.kind == shm::Kind::status) all.push_back(collect_status(reader, directory, boot_now_ns));
  }
  limit_keys(all, max_keys);
  text.gauge("mayfly_status", "Status values that are numbers.");
  for (const auto& status : all) {
    for (const auto& sample : status.samples) {
      if (sample.value) text.sample({{"directory", status.name}, {"key", sample.key}}, *sample.value);
    }
  }
  text.gauge("mayfly_status_last_write_timestamp_seconds", "When the status was written.");
  for (const auto& status : all) {
    for (const auto& sample : status.samples) {
      text.sample({{"directory", status.name}, {"key", sample.key}}, seconds_text(sample.time_ns));
    }
  }
  text.gauge("mayfly_status_stale_keys", "Statuses past stale_after, which this scrape leaves out.");
  for (const auto& status : all) text.sample({{"directory", status.name}}, status.stale);
  text.gauge("mayfly_status_series_dropped",
             "Statuses that this scrape leaves out because there are too many.");
  for (const auto& status : all) text.sample({{"directory", status.name}}, status.left_out);
}

}  // namespace mayfly::relayd
