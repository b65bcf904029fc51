// Sizes and places of a data segment's parts, computed from a few numbers that the header keeps.
#pragma once

#include <cstdint>

#include "shm/layout.h"
#include "shm/result.h"

namespace mayfly::shm {

struct Geometry {
  std::uint64_t total_bytes = 0;
  std::uint32_t page_bytes = 0;
  std::uint32_t pages = 0;
  std::uint32_t slots = 0;
  std::uint32_t worker_areas = 0;
  std::uint32_t undo_pairs = 0;
  // offsets from the segment's start
  std::uint64_t areas_at = 0;
  std::uint64_t area_bytes = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t stamps_at = 0;
  std::uint64_t page_words_at = 0;
  std::uint64_t lines_at = 0;
  std::uint64_t pages_at = 0;

  /// The largest key + value that one record may have here: a run's pages must fit the undo log.
  std::uint64_t max_record_bytes() const;
  /// Entries of one index page, and the greatest depth of a root page.
  std::uint32_t index_entries() const { return page_bytes / static_cast<std::uint32_t>(sizeof(IndexEntry)); }
  std::uint32_t max_depth() const;
};

struct GeometryRequest {
  std::uint64_t bytes = 0;
  std::uint32_t page_bytes = 16384;
  std::uint32_t worker_areas = 16;
  std::uint32_t undo_pairs = 4096;
  std::uint32_t slots = 0;  // 0: one a 128 KiB, 64 at least
};

/// What fits into request.bytes. Errors: invalid (too small, odd page size).
Result<Geometry> plan_geometry(const GeometryRequest& request);
/// Places from the header's numbers. Errors: corrupt (they contradict each other).
Result<Geometry> geometry_from(const HeaderConstants& constants);

}  // namespace mayfly::shm
