// The data segment, byte for byte. docs/shm-format.md tells the story; this is the truth.
//
//   Header        4 KiB   constants with a checksum; state words; what was applied last
//   WorkerArea[]          undo log, heartbeat and unattributed drops of each writing thread
//   Slot[]                one a directory: generation word, name, two COMMIT copies
//   stamps[]              a word a page: +1 before every reuse, never undone
//   page words[]          a word a page: owner (slot + 1), what it is, live bytes
//   PageLine[]            list links and fill of a page
//   pages[]               records (a list a directory), or parts of a directory's key index
//
// All words are 8 bytes, little-endian. Whoever changes a struct here changes kLayoutVersion: the
// assertions below fail otherwise, and tell so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shm/quotas.h"
#include "shm/word.h"

namespace mayfly::shm {

inline constexpr Word kDataMagic = 0x315344594c46594dull;     // "MYFLYDS1"
inline constexpr Word kControlMagic = 0x315443594c46594dull;  // "MYFLYCT1"
inline constexpr Word kLayoutVersion = 1;
inline constexpr Word kEndianMark = 0x0102030405060708ull;
inline constexpr Word kReady = 0x5944414552ull;  // "READY"

// --- header -------------------------------------------------------------------------------------

/// Written once at birth; `checksum` is XXH3 of the words before it.
struct HeaderConstants {
  Word magic;
  Word endian;
  Word layout_version;
  Word layout_hash;  // of the struct sizes and limits below
  Word features;     // a set bit that a program does not know: refuse
  Word total_bytes;
  Word page_bytes;
  Word pages;
  Word slots;
  Word worker_areas;
  Word undo_pairs;  // per worker area
  Word instance;    // random; never 0
  Word boot_id_low;
  Word boot_id_high;
  Word created_wall_ns;
  Word hash_seed;
  Word checksum;
};

struct HeaderState {
  Word ready;             // kReady once the birth is complete
  Word epoch;             // +1 at every attach of a writer
  Word poisoned;          // the writer found the segment contradicting itself
  Word next_incarnation;  // never reused, never undone
  Word slots_used;        // slots below it may be in use
  Word clean_stop;        // 1: the last writer said goodbye
  Word wake;              // futex word (low half): +1 per wake-up of readers
};

/// What the writer has applied of the control segment, published as everything else: two copies
/// and a generation word.
struct Applied {
  Word control_instance;
  Word serial;
  Word serving;
  Word version_bytes;
  Word version[8];
};

struct Header {
  HeaderConstants constants;
  Word pad0[7];
  HeaderState state;
  Word pad1[1];
  Word applied_generation;
  Word pad2[7];
  Applied applied[2];
  Word pad3[512 - 17 - 7 - 7 - 1 - 8 - 24];
};
static_assert(sizeof(Header) == 4096);

// --- undo log -----------------------------------------------------------------------------------

/// Where a word was, in bytes from the segment's start, and what it held.
struct UndoPair {
  Word offset;
  Word old_value;
};

/// `undo_count` 0: nothing to undo. Otherwise, if the slot's generation is not `undo_target` yet,
/// pairs count-1 .. 0 are to be put back.
struct WorkerArea {
  Word undo_count;
  Word undo_slot;
  Word undo_target;
  Word heartbeat_mono_ns;
  Word heartbeat_boot_ns;
  Word connections;
  Word refused_connections;  // since the segment's birth: beyond a limit
  Word closed_connections;   // the same: silent ones, closed for others
  Word unattributed[16];     // by DropCause
  // UndoPair[undo_pairs] follows
};
static_assert(sizeof(WorkerArea) == 192 && kDropCauses <= 16);

// --- directories --------------------------------------------------------------------------------

/// A place of a record or a page: stamp 30 | page 22 | offset / 8 12 bits. 0 = none. It names the
/// incarnation too: a place whose page has another stamp by now is gone.
using Ref = Word;
inline constexpr int kRefOffsetBits = 12;
inline constexpr int kRefPageBits = 22;
inline constexpr Word kStampMask = (Word{1} << 30) - 1;
inline constexpr std::uint32_t kMaxPages = (1u << kRefPageBits) - 1;

constexpr Ref make_ref(Word stamp, std::uint32_t page, std::uint32_t offset) {
  return ((stamp & kStampMask) << (kRefOffsetBits + kRefPageBits)) | (Word{page} << kRefOffsetBits) |
         (offset / 8);
}
constexpr std::uint32_t ref_page(Ref ref) {
  return static_cast<std::uint32_t>(ref >> kRefOffsetBits) & kMaxPages;
}
constexpr std::uint32_t ref_offset(Ref ref) {
  return static_cast<std::uint32_t>(ref & ((1u << kRefOffsetBits) - 1)) * 8;
}
constexpr Word ref_stamp(Ref ref) { return ref >> (kRefOffsetBits + kRefPageBits); }

inline constexpr Word kStateClosed = 0;
inline constexpr Word kStateOpen = 1;

/// Everything that must agree. The copy not in use is filled, then Slot::generation is stored:
/// the only publication. `dropped` and `evicted` are indexed by cause.
struct Commit {
  // hot: written by every commit
  Word state;
  Word head;  // where the next record goes; its page is the last of the list
  Word tail;  // the oldest live record, or the head when there is none
  Word next_seq;
  Word first_seq;  // of the oldest live record; 0 = none
  Word keys;
  Word records;
  Word bytes;  // live keys' and values' bytes
  Word stored;
  Word replaced;
  Word last_time_ns;
  Word last_boot_ns;
  Word index_root;  // offset field: depth. Depth 0: the one index page, else the page of page numbers
  Word key_scan;    // log: no live record before it is its key's newest; 0: start at the tail
  Word dropped[kDropCauses];
  Word evicted[kEvictCauses];
  // cold: written when they changed
  Word kind;
  Word incarnation;
  Word max_keys;
  Word max_key_bytes;
  Word max_value_bytes;
  Word max_total_bytes;
  Word max_bytes_per_key;
  Word max_events_per_key;
  Word max_age_seconds;
  Word reserve_bytes;
  Word stale_after_seconds;
  Word drop_when_keys_full;
  Word control_instance;
  Word rule_birth;
  Word rule_hash;
  Word removed_stored;  // totals of the directories that had this slot before
  Word removed_replaced;
  Word removed_dropped[kDropCauses];
  Word removed_evicted[kEvictCauses];
};
inline constexpr std::size_t kHotWords = 14 + kDropCauses + kEvictCauses;
inline constexpr std::size_t kCommitWords = sizeof(Commit) / 8;
static_assert(offsetof(Commit, kind) == kHotWords * 8);

struct Slot {
  Word generation;
  Word name_bytes;
  Word name[kMaxNameBytes / 8];  // changed only while the slot is closed
  Word pad[6];
  Commit copies[2];
};
static_assert(sizeof(Commit) == 69 * 8 && sizeof(Slot) == (24 + 2 * 69) * 8,
              "a shared struct changed: raise kLayoutVersion, then adjust this line");

// --- pages --------------------------------------------------------------------------------------

/// The list runs oldest to newest. A page's line is initialised after its stamp was raised.
struct PageLine {
  Word next;  // Ref of the page after it (offset 0), or 0
  Word prev;  // Ref of the page before it, or 0
  Word fill;  // record page: bytes used once sealed, 0 while it is the last; index page: see below
  Word role;  // PageRole, for readers: the page word forgets it when the page is retired
};
static_assert(sizeof(PageLine) == 32);

// Page word: owner 20 | role 4 | live bytes 40. Whole word 0: free.
enum class PageRole : std::uint8_t { free = 0, records = 1, run = 2, continuation = 3, index = 4, root = 5 };
constexpr Word make_page_word(std::uint32_t slot, PageRole role, std::uint64_t live) {
  return (Word{slot} + 1) | (Word{static_cast<std::uint8_t>(role)} << 20) | (live << 24);
}
constexpr std::uint32_t page_owner(Word word) { return static_cast<std::uint32_t>(word & 0xfffff) - 1; }
constexpr PageRole page_role(Word word) { return static_cast<PageRole>((word >> 20) & 0xf); }
constexpr std::uint64_t page_live(Word word) { return word >> 24; }
inline constexpr Word kPageLiveUnit = Word{1} << 24;
inline constexpr std::uint32_t kMaxSlots = 0xffffe;

/// A record: this header, the key, the value, zeros up to a multiple of 8. A record that is larger
/// than a page has a run of pages of its own (roles run, continuation ...); no other crosses a page.
/// Immutable once committed but for `death`, `prev` and `next`.
struct RecordHeader {
  Word seq;      // per directory, from 1
  Word time_ns;  // wall clock
  Word boot_ns;  // boot-time clock
  Word lengths;  // key bytes | value bytes << 32
  Word tag;      // hash, low half | ordinal within the key's life << 32
  Word death;    // 0, or the generation of the commit that killed it
  Word prev;     // Ref of the key's record before it; meaningless on the key's oldest
  Word next;     // Ref of the key's record after it; meaningless on the key's newest
};
inline constexpr std::uint32_t kRecordHeaderBytes = sizeof(RecordHeader);
static_assert(kRecordHeaderBytes == 64);

constexpr std::uint64_t record_bytes(std::uint64_t key_bytes, std::uint64_t value_bytes) {
  return (kRecordHeaderBytes + key_bytes + value_bytes + 7) & ~std::uint64_t{7};
}
constexpr std::uint64_t key_bytes_of(Word lengths) { return lengths & 0xffffffff; }
constexpr std::uint64_t value_bytes_of(Word lengths) { return lengths >> 32; }

// --- key index ----------------------------------------------------------------------------------

/// Open addressing within an index page, extendible hashing over index pages. In an index page's
/// line, fill = used entries | tombstones << 16 | depth << 32.
struct IndexEntry {
  Word hash;    // 0: never used; 1: tombstone
  Word newest;  // Ref
  Word oldest;  // Ref of the oldest live record
  Word live;    // events 28 | bytes 36
};
static_assert(sizeof(IndexEntry) == 32);
inline constexpr Word kHashEmpty = 0;
inline constexpr Word kHashTombstone = 1;
constexpr Word make_live(std::uint64_t events, std::uint64_t bytes) { return (events << 36) | bytes; }
constexpr std::uint64_t live_events(Word live) { return live >> 36; }
constexpr std::uint64_t live_bytes(Word live) { return live & ((Word{1} << 36) - 1); }

inline constexpr Word kLayoutHash = sizeof(Header) ^ (sizeof(WorkerArea) << 8) ^ (sizeof(Slot) << 16) ^
                                    (sizeof(PageLine) << 32) ^ (sizeof(RecordHeader) << 40) ^
                                    (sizeof(IndexEntry) << 48) ^ (Word{kRefPageBits} << 56);

}  // namespace mayfly::shm
