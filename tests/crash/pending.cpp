#include "tests/crash/pending.h"

#include <algorithm>
#include <cstddef>

namespace mayfly::shm::test {
namespace {

enum class Part { page_word, line_next, line_prev, line_fill, page };

Part part_of(const Geometry& g, Word offset) {
  if (offset < g.lines_at) return Part::page_word;
  if (offset >= g.pages_at) return Part::page;
  const Word in_line = (offset - g.lines_at) % sizeof(PageLine);
  if (in_line == offsetof(PageLine, next)) return Part::line_next;
  return in_line == offsetof(PageLine, prev) ? Part::line_prev : Part::line_fill;
}

}  // namespace

std::vector<PendingLog> pending_logs(const Segment& segment) {
  const Geometry& g = segment.geometry();
  std::vector<PendingLog> logs;
  for (std::uint32_t i = 0; i < g.worker_areas; ++i) {
    const WorkerArea& area = segment.area(i);
    const Word count = load_acquire(&area.undo_count);
    if (count == 0 || count > g.undo_pairs) continue;
    PendingLog log;
    log.area = i;
    log.slot = static_cast<std::uint32_t>(load_acquire(&area.undo_slot));
    log.target = load_acquire(&area.undo_target);
    log.pairs.resize(count);
    copy_out(log.pairs.data(), &segment.undo_pairs(i)->offset, count * (sizeof(UndoPair) / sizeof(Word)));
    if (load_acquire(&area.undo_count) != count || load_acquire(&area.undo_target) != log.target) continue;
    if (log.slot < g.slots && load_acquire(&segment.slot(log.slot).generation) != log.target) {
      logs.push_back(std::move(log));
    }
  }
  return logs;
}

std::string kind_of(const Segment& segment, const PendingLog& log) {
  const Geometry& g = segment.geometry();
  bool claimed = false;  // a page, of any role
  bool linked = false;   // pages, one to another
  bool before = false;   // a page's link to the one before it: only when a page leaves the list
  bool inserted = false;
  for (std::size_t i = 0; i < log.pairs.size(); ++i) {
    const UndoPair& pair = log.pairs[i];
    switch (part_of(g, pair.offset)) {
      case Part::page_word:
        if (pair.old_value != 0) break;
        // The words behind a claimed page are those of its list, or, where records move into it, of the
        // records' keys and neighbours.
        if (i + 1 < log.pairs.size() && part_of(g, log.pairs[i + 1].offset) == Part::page &&
            page_role(load_acquire(segment.word_at(pair.offset))) == PageRole::records) {
          return "move";
        }
        claimed = true;
        break;
      case Part::line_next:
        linked = true;
        break;
      case Part::line_prev:
        before = true;
        break;
      case Part::line_fill: {
        // An index page's fill, in which the low half counts the used entries.
        const Word now = load_acquire(segment.word_at(pair.offset));
        inserted = inserted || (now & 0xffff) > (pair.old_value & 0xffff);
        break;
      }
      case Part::page:
        break;
    }
  }
  if (before) return "free";
  if (claimed || linked || inserted) return "write";
  const bool any_death = std::any_of(log.pairs.begin(), log.pairs.end(), [&](const UndoPair& pair) {
    return pair.old_value == 0 && pair.offset >= g.pages_at &&
           load_acquire(segment.word_at(pair.offset)) == log.target;
  });
  const bool grown = std::any_of(log.pairs.begin(), log.pairs.end(), [&](const UndoPair& pair) {
    // A page's live bytes grew: a record came.
    return part_of(g, pair.offset) == Part::page_word &&
           page_live(load_acquire(segment.word_at(pair.offset))) > page_live(pair.old_value);
  });
  return any_death && !grown ? "evict" : "write";
}

}  // namespace mayfly::shm::test
