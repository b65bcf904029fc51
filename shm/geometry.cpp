#include "shm/geometry.h"

#include <algorithm>
#include <bit>
#include <string>

namespace mayfly::shm {
namespace {

constexpr std::uint64_t kPageAlign = 4096;
constexpr std::uint32_t kMinPages = 16;
constexpr std::uint32_t kUndoMargin = 64;

constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t to) { return (n + to - 1) / to * to; }

/// Fills in the places; total_bytes is left alone.
std::uint64_t lay_out(Geometry& g) {
  g.areas_at = sizeof(Header);
  g.area_bytes = sizeof(WorkerArea) + std::uint64_t{g.undo_pairs} * sizeof(UndoPair);
  g.slots_at = g.areas_at + g.area_bytes * g.worker_areas;
  g.stamps_at = g.slots_at + std::uint64_t{g.slots} * sizeof(Slot);
  g.page_words_at = g.stamps_at + std::uint64_t{g.pages} * 8;
  g.lines_at = g.page_words_at + std::uint64_t{g.pages} * 8;
  g.pages_at = round_up(g.lines_at + std::uint64_t{g.pages} * sizeof(PageLine), kPageAlign);
  return g.pages_at + std::uint64_t{g.pages} * g.page_bytes;
}

bool sane(const Geometry& g) {
  return std::has_single_bit(g.page_bytes) && g.page_bytes >= 1024 && g.page_bytes <= 16384 &&
         g.pages >= kMinPages && g.pages <= kMaxPages && g.slots >= 1 && g.slots <= kMaxSlots &&
         g.worker_areas >= 1 && g.worker_areas <= 64 && g.undo_pairs >= 256 && g.undo_pairs <= 1u << 20;
}

}  // namespace

std::uint64_t Geometry::max_record_bytes() const {
  // Each page of a run is logged twice: its owner, and the link to it.
  const std::uint64_t run =
      std::uint64_t{std::min((undo_pairs - kUndoMargin * 2) / 2, pages / 2)} * page_bytes;
  return std::min(kMaxRecordBytes, run - kRecordHeaderBytes);
}

std::uint32_t Geometry::max_depth() const { return std::bit_width(page_bytes / 4) - 1u; }

Result<Geometry> plan_geometry(const GeometryRequest& request) {
  Geometry g;
  g.total_bytes = request.bytes / kPageAlign * kPageAlign;
  g.page_bytes = request.page_bytes;
  g.worker_areas = request.worker_areas;
  g.undo_pairs = request.undo_pairs;
  g.slots =
      request.slots != 0
          ? request.slots
          : static_cast<std::uint32_t>(std::clamp<std::uint64_t>(request.bytes / (128 << 10), 64, kMaxSlots));
  const std::uint64_t fixed = lay_out(g) + kPageAlign;
  const std::uint64_t each = request.page_bytes + 16 + sizeof(PageLine);
  if (g.total_bytes > fixed) {
    g.pages = static_cast<std::uint32_t>(std::min<std::uint64_t>((g.total_bytes - fixed) / each, kMaxPages));
  }
  lay_out(g);
  if (!sane(g)) {
    return Error{Errc::invalid, "a segment of " + std::to_string(request.bytes) + " bytes with pages of " +
                                    std::to_string(request.page_bytes) +
                                    " bytes cannot be laid out: at least " +
                                    std::to_string(fixed + kMinPages * each) + " bytes are needed"};
  }
  return g;
}

Result<Geometry> geometry_from(const HeaderConstants& constants) {
  Geometry g;
  g.total_bytes = constants.total_bytes;
  const auto narrow = [](Word word) { return static_cast<std::uint32_t>(std::min<Word>(word, 0xffffffff)); };
  g.page_bytes = narrow(constants.page_bytes);
  g.pages = narrow(constants.pages);
  g.slots = narrow(constants.slots);
  g.worker_areas = narrow(constants.worker_areas);
  g.undo_pairs = narrow(constants.undo_pairs);
  if (!sane(g) || lay_out(g) > g.total_bytes) {
    return Error{Errc::corrupt, "the header's sizes contradict each other"};
  }
  return g;
}

}  // namespace mayfly::shm
