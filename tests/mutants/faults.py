"""The faults that run.py puts into the segment code, one at a time.

`old` stands in `file` exactly once and becomes `new`. `unseen` says why no test that runs on the machine can
notice the fault, and what shows it instead; None: a test must notice it.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    file: str
    what: str
    old: str
    new: str
    unseen: str | None = None


X86 = ("x86 does not reorder stores with stores or loads with loads, and the compiler keeps these where they are; "
       "ThreadSanitizer knows no weak memory and sees atomic accesses. Shown by the Promela model (tests/model)")

ORDER = [
    Fault("commit-not-released", "shm/directory.cpp", "the commit's one store is relaxed, not a release",
          "  store_release(&shared.generation, ++generation);\n",
          "  __atomic_store_n(&shared.generation, ++generation, __ATOMIC_RELAXED);\n", X86),
    Fault("no-store-released", "shm/word.h", "every shared store is relaxed",
          "  __atomic_store_n(word, value, __ATOMIC_RELEASE);\n",
          "  __atomic_store_n(word, value, __ATOMIC_RELAXED);\n", X86),
    Fault("no-load-acquired", "shm/word.h", "every shared load is relaxed",
          "return __atomic_load_n(word, __ATOMIC_ACQUIRE);", "return __atomic_load_n(word, __ATOMIC_RELAXED);", X86),
    Fault("commit-before-copy", "shm/directory.cpp", "the generation is stored before the COMMIT copy is filled",
          """  fill_copy(shared.copies[(generation + 1) & 1]);
  // SYNC POINT: publishes the copy, the records before its head and every change logged so far.
  // Pairs with the acquire load of `generation` in SegmentView::load_commit.
  store_release(&shared.generation, ++generation);
""",
          """  store_release(&shared.generation, ++generation);
  fill_copy(shared.copies[generation & 1]);
"""),
    Fault("commit-into-shown-copy", "shm/directory.cpp", "the COMMIT copy that readers use is filled",
          "fill_copy(shared.copies[(generation + 1) & 1]);",
          "fill_copy(shared.copies[generation & 1]), fill_copy(shared.copies[(generation + 1) & 1]);"),
    Fault("cold-words-once", "shm/directory.cpp", "the words that seldom change go into one of the two copies only",
          "  now.rule_hash = spec.rule_hash;\n  cold_dirty_ = 2;\n", "  now.rule_hash = spec.rule_hash;\n  cold_dirty_ = 1;\n"),
    Fault("control-generation-first", "shm/control.cpp", "rules are published before they are copied",
          """  copy_in(impl_->copy(serial + 1), fresh.get(), copy_bytes(fresh->rule_count));
  store_release(&header.generation, serial + 1);
""",
          """  store_release(&header.generation, serial + 1);
  copy_in(impl_->copy(serial + 1), fresh.get(), copy_bytes(fresh->rule_count));
"""),
]

UNDO = [
    Fault("undo-pair-after-count", "shm/segment.h", "the undo log counts an entry before it holds it",
          """    store_release(&pair.offset, segment_.offset_of(&word) MAYFLY_PASS_SITE);
    store_release(&pair.old_value, load_relaxed(&word) MAYFLY_PASS_SITE);
    store_release(&area_->undo_count, ++count_ MAYFLY_PASS_SITE);
""",
          """    store_release(&area_->undo_count, ++count_ MAYFLY_PASS_SITE);
    store_release(&pair.offset, segment_.offset_of(&word) MAYFLY_PASS_SITE);
    store_release(&pair.old_value, load_relaxed(&word) MAYFLY_PASS_SITE);
"""),
    Fault("undo-after-change", "shm/segment.h", "a word is changed before its old value counts as logged",
          """    store_release(&area_->undo_count, ++count_ MAYFLY_PASS_SITE);
    store_release(&word, value MAYFLY_PASS_SITE);
""",
          """    store_release(&word, value MAYFLY_PASS_SITE);
    store_release(&area_->undo_count, ++count_ MAYFLY_PASS_SITE);
"""),
    Fault("undo-ends-early", "shm/directory.cpp", "the undo log is emptied before the commit's store",
          "  store_release(&shared.generation, ++generation);\n  worker.txn.end();\n",
          "  worker.txn.end();\n  store_release(&shared.generation, ++generation);\n"),
    Fault("undo-in-writing-order", "shm/recovery.cpp", "recovery puts words back first to last",
          "      for (Word n = count; n-- > 0;) {\n", "      for (Word n = 0; n < count; ++n) {\n"),
    Fault("undo-one-short", "shm/recovery.cpp", "recovery leaves out the first entry of the undo log",
          "      for (Word n = count; n-- > 0;) {\n", "      for (Word n = count; n-- > 1;) {\n"),
    Fault("undo-of-a-commit", "shm/recovery.cpp", "recovery undoes what was committed when the log was not emptied yet",
          "    if (generation != target) {\n", "    if (generation + 1 >= target) {\n"),
    Fault("undo-emptied-first", "shm/recovery.cpp", "recovery empties the log before the words are back",
          "      const UndoPair* pairs = segment.undo_pairs(i);\n",
          "      const UndoPair* pairs = segment.undo_pairs(i);\n      store_release(&area.undo_count, 0);\n"),
    Fault("death-not-logged", "shm/directory_inline.h", "a record's death is not in the undo log",
          "  worker.txn.set(header.death, worker.txn.target());\n", "  store_release(&header.death, worker.txn.target());\n"),
    Fault("live-bytes-not-logged", "shm/directory_pages.cpp", "a page's live bytes are not in the undo log",
          "    worker.txn.set(shared, after_it);\n", "    store_release(&shared, after_it);\n"),
    Fault("entry-not-logged", "shm/directory_append.cpp", "a key's newest place is not in the undo log",
          "  worker.txn.set(entry.newest, at);\n", "  store_release(&entry.newest, at);\n"),
    Fault("next-page-not-logged", "shm/directory_pages.cpp", "the link to a new page is not in the undo log",
          "    worker.txn.set(last.next, place);\n", "    store_release(&last.next, place);\n"),
    Fault("owner-not-logged", "shm/directory_pages.cpp", "the owner of a fresh page is not in the undo log",
          "  worker.txn.set(segment().page_word(page), make_page_word(slot, role, 0));\n",
          "  store_release(&segment().page_word(page), make_page_word(slot, role, 0));\n"),
    Fault("live-bytes-late", "shm/directory.cpp", "live bytes that were gathered are written after the commit",
          "  write_live(worker);\n  now.first_seq", "  now.first_seq"),
    Fault("stamp-undone", "shm/directory_pages.cpp", "the stamp of a page is put back with the batch that took it",
          "  store_release(&segment().stamp(page), stamp);\n", "  worker.txn.set(segment().stamp(page), stamp);\n"),
]

PAGES = [
    Fault("stamp-not-raised", "shm/directory_pages.cpp", "a page is reused under its old stamp",
          "  Word stamp = load_relaxed(&segment().stamp(page)) + 1;\n", "  Word stamp = load_relaxed(&segment().stamp(page));\n"),
    Fault("page-freed-early", "shm/directory_pages.cpp", "a page is free for others before the commit that gives it up",
          "  worker.freed.push_back(page);\n", "  worker.freed.push_back(page);\n  engine_.pool.give_back(worker.freed);\n"),
    Fault("no-quarantine", "shm/page_pool.cpp", "a page that was given up is reused at once",
          "    if (queue_size_ > quarantine_) {", "    if (queue_size_ > 0) {",
          "The quarantine only spares readers a second try; the stamps keep them from wrong bytes without it"),
    Fault("page-end-off", "shm/directory_pages.cpp", "a record may reach eight bytes beyond its page",
          "        segment().geometry().page_bytes - std::min(segment().geometry().page_bytes, ref_offset(now.head));\n",
          "        8 + segment().geometry().page_bytes - std::min(segment().geometry().page_bytes, ref_offset(now.head));\n"),
    Fault("gathers-for-another-page", "shm/directory.h", "live bytes gathered for one page are counted for the next",
          "    if (added_.page != page) [[unlikely]] {\n      write_live(worker);\n      added_.page = page;\n",
          "    if (added_.page != page) [[unlikely]] {\n      added_.page = page;\n"),
    Fault("payload-tail-not-zero", "shm/payload.h", "the bytes behind a value are not zeros",
          "  to[(key.size() + value.size() - 1) / 8] = 0;\n", "",
          "No program reads them, and they are not part of any promise: they are the page's own former bytes"),
    Fault("no-link-back", "shm/directory_pages.cpp", "a new page does not name the page before it",
          "    store_release(&line.prev, segment().place(before, 0));\n", "    store_release(&line.prev, 0);\n"),
    Fault("merge-loses-newest", "shm/compaction.cpp", "a moved record stays its key's newest at the old place",
          "    worker.txn.set(entry.newest, to);\n", "    static_cast<void>(to);\n"),
    Fault("merge-loses-neighbour", "shm/compaction.cpp", "the record after a moved one still names the old place",
          "    worker.txn.set(record(header.next).prev, to);\n", "    static_cast<void>(to);\n"),
    Fault("index-of-old-root", "shm/directory_inline.h", "the index goes on with the root that it knew",
          "  if (directory_.now.index_root != seen_root_) [[unlikely]]\n", "  if (seen_root_ == 0) [[unlikely]]\n"),
    Fault("probe-stops-early", "shm/directory_inline.h", "a key behind its first four entries is not found",
          "  return walk(table, first, match);\n}\n\nMAYFLY_HOT KeyIndex::Found",
          "  return nullptr;\n}\n\nMAYFLY_HOT KeyIndex::Found"),
    Fault("merge-forgets-tail", "shm/compaction.cpp", "the tail stays in a page that was merged away",
          "    if (ref_page(now.tail) == old) now.tail = place;\n", ""),
    Fault("merge-too-much", "shm/compaction.cpp", "neighbours are merged that need eight bytes more than a page",
          "         page_live(one) + page_live(two) <= segment().geometry().page_bytes;\n",
          "         page_live(one) + page_live(two) <= segment().geometry().page_bytes + 8;\n"),
    Fault("adopts-nothing-free", "shm/engine.cpp", "pages that were given up after a commit stay lost at attach",
          "    free.push_back(page);\n  }\n  pool.adopt_free(free);\n",
          "    if (word == 0) free.push_back(page);\n  }\n  pool.adopt_free(free);\n"),
]

RULES = [
    Fault("keys-one-more", "shm/directory_append.cpp", "a directory keeps one key more than it may",
          "  while (now.keys >= now.max_keys) evict_quietest_key(worker, EvictCause::keys);\n",
          "  while (now.keys > now.max_keys) evict_quietest_key(worker, EvictCause::keys);\n"),
    Fault("events-one-more", "shm/directory_append.cpp", "a key keeps one event more than it may",
          "              [&](Word live) { return live_events(live) >= now.max_events_per_key; });\n",
          "              [&](Word live) { return live_events(live) > now.max_events_per_key; });\n"),
    Fault("total-one-less", "shm/directory_append.cpp", "a directory that is exactly full evicts",
          "  if (now.bytes - own_bytes > now.max_total_bytes - size) evict_total",
          "  if (now.bytes - own_bytes >= now.max_total_bytes - size) evict_total"),
    Fault("total-once", "shm/directory_append.cpp", "one record at most is evicted for max_total_bytes",
          "  } while (now.bytes - own_bytes > now.max_total_bytes - size);\n", "  } while (false);\n"),
    Fault("value-one-less", "shm/directory_append.cpp", "a value of exactly max_value_bytes is dropped",
          "  if (value_bytes > now.max_value_bytes) return", "  if (value_bytes >= now.max_value_bytes) return"),
    Fault("compares-half-a-key", "shm/bytes.h", "keys of up to 32 bytes that differ in their middle are the same key",
          "    if (size > 16) {\n", "    if (size > 32) {\n",
          "Asked only of keys whose hashes of 64 bits agree: no test here finds two such keys"),
    Fault("age-one-more", "shm/directory_evict.cpp", "a record lives a second too long",
          "  return age / kNsPerSecond >= now.max_age_seconds;\n", "  return age / kNsPerSecond > now.max_age_seconds;\n"),
    Fault("wrong-key-goes", "shm/directory_evict.cpp", "the oldest record's key goes, not the least recently written one",
          "    if (header.death == 0 && index_.is_newest(place, header)) {\n", "    if (header.death == 0) {\n"),
    Fault("age-revives", "shm/directory_evict.cpp", "a longer max_age revives what was due",
          "  evict_due(worker, ~0ull);\n  const Quotas old = quotas();\n", "  const Quotas old = quotas();\n"),
    Fault("removed-totals-lost", "shm/directory.cpp", "what a removed directory had stored is forgotten",
          "  now.removed_stored += now.stored;\n", ""),
    Fault("replaced-not-counted", "shm/directory_append.cpp", "a replaced value is not counted",
          "  ++now.replaced;\n", ""),
    Fault("share-without-reserve", "shm/engine.cpp", "reserves are not part of a directory's share",
          "  return directory.reserve_pages.load(std::memory_order_relaxed) + common / open;\n",
          "  return common / open;\n"),
]

READERS = [
    Fault("death-of-yesterday", "shm/directory_inline.h", "a death carries the generation before its commit",
          "  worker.txn.set(header.death, worker.txn.target());\n", "  worker.txn.set(header.death, worker.txn.target() - 1);\n"),
    Fault("reader-ignores-stamp", "shm/segment_view.cpp", "the stamp is not looked at again after a page was copied",
          """  bytes_read_ += words * 8;
  // SYNC POINT: pairs with the stamp's store in Directory::claim_page. Had the copy seen a byte of
  // the page's next life, this load would see that life's stamp.
  return stamp_of(place) == ref_stamp(place) ? Found::record : Found::gone;
""",
          """  bytes_read_ += words * 8;
  return Found::record;
"""),
    Fault("reader-ignores-first-stamp", "shm/segment_view.cpp", "the stamp is not looked at before a page is copied",
          "  if (stamp_of(place) != ref_stamp(place)) return Found::gone;\n", "",
          "The same stamp is looked at again after the copy: the first look only spares the work"),
    Fault("reader-ignores-generation", "shm/segment_view.cpp", "a COMMIT copy is used without a second look at the generation",
          "    if (load_acquire(&shared.generation) == state.generation) return true;\n", "    return true;\n"),
    Fault("reader-shows-uncommitted", "shm/reader_impl.h", "a reader goes on behind the committed records",
          "      if (found.header.seq >= state.commit.next_seq) return Found::end;\n", ""),
    Fault("reader-believes-deaths", "shm/reader_impl.h", "a death that was not committed yet counts",
          "      if (found.header.death == 0 || found.header.death > dead) {\n", "      if (found.header.death == 0) {\n"),
    Fault("reader-does-not-recount", "shm/reader_scan.cpp", "a snapshot is not held against the commit's totals",
          "  const bool exact = end == Found::end && pieces.size() == c.records && bytes == c.bytes;\n",
          "  const bool exact = end == Found::end;\n"),
    Fault("reader-trusts-not-there", "shm/reader_key.cpp", "a key that was not found counts as absent while commits go on",
          "    if (got == Found::end && view.generation(directory.id) == state->generation) return std::nullopt;\n",
          "    if (got == Found::end) return std::nullopt;\n"),
    Fault("control-not-reread", "shm/control.cpp", "rules are used without a second look at the generation",
          "    if (load_acquire(&header().generation) != state.serial) continue;\n", ""),
]

FILES = [
    Fault("lock-shared", "shm/segment_file.cpp", "two writers may hold the lock",
          "    lock.l_type = F_WRLCK;\n", "    lock.l_type = F_RDLCK;\n"),
    Fault("name-before-birth", "shm/segment_file.cpp", "a new segment has its name before it is filled",
          """  init(mapping.value().words());
  if (::rename(fresh.c_str(), options.path.c_str()) != 0) {
    return os_error(Errc::io, "renaming " + fresh, errno);
  }
""",
          """  if (::rename(fresh.c_str(), options.path.c_str()) != 0) {
    return os_error(Errc::io, "renaming " + fresh, errno);
  }
  init(mapping.value().words());
"""),
    Fault("ready-first", "shm/recovery.cpp", "a new segment says that it is ready before its header is there",
          "  copy_in(reinterpret_cast<Word*>(&header.constants), &constants, sizeof constants);\n"
          "  store_release(&header.state.next_incarnation, 1);\n  store_release(&header.state.ready, kReady);\n",
          "  store_release(&header.state.ready, kReady);\n"
          "  copy_in(reinterpret_cast<Word*>(&header.constants), &constants, sizeof constants);\n"
          "  store_release(&header.state.next_incarnation, 1);\n",
          "The file has no name yet while it is filled: a birth that is cut short is never found. READY is the second lock on "
          "that door"),
    Fault("checksum-ignored", "shm/recovery.cpp", "a header's checksum is not looked at",
          "  if (constants.checksum != checksum_of(constants))\n", "  if (constants.checksum == 0)\n"),
    Fault("clean-stop-sticks", "shm/engine.cpp", "a running writer still says that it stopped",
          "  store_release(&state.clean_stop, 0);\n", ""),
    Fault("truncation-unnoticed", "shm/bus_guard.cpp", "a truncated file is read as zeros and nobody is told",
          "    guarded.torn.store(true, std::memory_order_release);\n", ""),
    Fault("validator-skips-pages", "shm/verifier.cpp", "the validator does not count live bytes of pages",
          "  check_total((\"page \" + std::to_string(page) + \": live bytes\").c_str(), page_live(word), live);\n", ""),
]

FAULTS = ORDER + UNDO + PAGES + RULES + READERS + FILES
