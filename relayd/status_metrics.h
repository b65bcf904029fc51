// Statuses as a scrape shows them: values that are numbers, and when each status was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "relayd/metrics_text.h"
#include "relayd/scoped_reader.h"

namespace mayfly::relayd {

/// The most status keys in one scrape. Beyond it each directory gives up keys down to a fair share,
/// the last in the order of their bytes first, so that the same keys stay from scrape to scrape; how
/// many is a family of its own.
inline constexpr std::size_t kMaxStatusKeys = 20'000;

/// How many of its keys each directory may show, where all together may show `limit`: small
/// directories all of theirs, the others the same number each.
std::vector<std::size_t> fair_shares(const std::vector<std::size_t>& wanted, std::size_t limit);

/// `boot_now_ns`: what ages are counted up to (age_reference_ns). A status past its directory's
/// `stale_after` is not there at all, but counted.
void put_status_metrics(MetricsText& text, const ScopedReader& reader,
                        const std::vector<shm::DirectoryInfo>& directories, std::uint64_t boot_now_ns,
                        std::size_t max_keys = kMaxStatusKeys);

}  // namespace mayfly::relayd
