// Birth, the header's checks, and roll-back: what happens before anybody trusts a segment.
#include <xxhash.h>

#include <cstddef>

#include "shm/engine.h"
#include "shm/segment_file.h"

namespace mayfly::shm {
namespace {

Word checksum_of(const HeaderConstants& constants) {
  return XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
}

}  // namespace

void format_segment(Word* base, const Geometry& g, std::uint64_t instance, std::uint64_t wall_ns) {
  const BootId boot = current_boot_id();
  HeaderConstants constants{};
  constants.magic = kDataMagic;
  constants.endian = kEndianMark;
  constants.layout_version = kLayoutVersion;
  constants.layout_hash = kLayoutHash;
  constants.total_bytes = g.total_bytes;
  constants.page_bytes = g.page_bytes;
  constants.pages = g.pages;
  constants.slots = g.slots;
  constants.worker_areas = g.worker_areas;
  constants.undo_pairs = g.undo_pairs;
  constants.instance = instance;
  constants.boot_id_low = boot.low;
  constants.boot_id_high = boot.high;
  constants.created_wall_ns = wall_ns;
  constants.hash_seed = random_word();
  constants.checksum = checksum_of(constants);
  Header& header = *reinterpret_cast<Header*>(base);
  copy_in(reinterpret_cast<Word*>(&header.constants), &constants, sizeof constants);
  store_release(&header.state.next_incarnation, 1);
  store_release(&header.state.ready, kReady);
}

Result<Geometry> check_header(const Word* base, std::uint64_t bytes, Word magic) {
  if (bytes < sizeof(Header)) return Error{Errc::corrupt, "shorter than a header"};
  HeaderConstants constants;
  copy_out(&constants, base, sizeof constants / 8);
  const Header& header = *reinterpret_cast<const Header*>(base);
  if (constants.magic != magic) return Error{Errc::corrupt, "not a segment of this kind (wrong magic)"};
  if (constants.endian != kEndianMark)
    return Error{Errc::wrong_version, "of a machine with another byte order"};
  if (constants.layout_version != kLayoutVersion || constants.layout_hash != kLayoutHash ||
      constants.features != 0) {
    return Error{Errc::wrong_version, "layout version " + std::to_string(constants.layout_version) +
                                          ", this program speaks " + std::to_string(kLayoutVersion)};
  }
  if (constants.checksum != checksum_of(constants))
    return Error{Errc::corrupt, "the header's checksum is wrong"};
  if (load_acquire(&header.state.ready) != kReady)
    return Error{Errc::not_ready, "its birth was not completed"};
  if (constants.total_bytes != bytes) {
    return Error{Errc::corrupt, "the file has " + std::to_string(bytes) + " bytes, its header says " +
                                    std::to_string(constants.total_bytes)};
  }
  return geometry_from(constants);
}

Result<RecoveryReport> roll_back(const Segment& segment) {
  const Geometry& geometry = segment.geometry();
  RecoveryReport report;
  for (std::uint32_t i = 0; i < geometry.worker_areas; ++i) {
    WorkerArea& area = segment.area(i);
    const Word count = load_acquire(&area.undo_count);
    if (count == 0) continue;
    const Word slot = load_acquire(&area.undo_slot);
    const Word target = load_acquire(&area.undo_target);
    if (count > geometry.undo_pairs || slot >= geometry.slots)
      return Error{Errc::corrupt, "a scribbled undo log"};
    const Word generation = load_acquire(&segment.slot(static_cast<std::uint32_t>(slot)).generation);
    if (generation != target && generation + 1 != target)
      return Error{Errc::corrupt, "an undo log of another time"};
    if (generation != target) {
      const UndoPair* pairs = segment.undo_pairs(i);
      for (Word n = count; n-- > 0;) {
        const Word offset = load_acquire(&pairs[n].offset);
        if (offset % 8 != 0 || offset < geometry.page_words_at || offset >= geometry.total_bytes) {
          return Error{Errc::corrupt, "an undo log that points elsewhere"};
        }
        store_release(segment.word_at(offset), load_acquire(&pairs[n].old_value));
      }
      ++report.rolled_back;
      report.undone_words += count;
    }
    store_release(&area.undo_count, 0);
  }
  return report;
}

}  // namespace mayfly::shm
