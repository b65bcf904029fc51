#include "cli/local_tail.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "cli/output.h"
#include "cli/source.h"

namespace mayfly::cli {

using shm::Errc;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kBusyPoll{1};
constexpr milliseconds kIdlePoll{10};
constexpr milliseconds kIdleAfter{2000};     // without news
constexpr milliseconds kReplacedCheck{200};  // is the path still this segment?
constexpr milliseconds kAbsentPoll{50};

// Errors that pass while a segment is being made.
bool may_pass(Errc code) { return code == Errc::not_found || code == Errc::not_ready; }

}  // namespace

LocalTail::LocalTail(const Globals& globals, const RecordQuery& query)
    : globals_(globals), query_(query), printer_(globals), last_news_(Clock::now()) {}

int LocalTail::run() {
  bool told_waiting = false;
  for (;;) {
    const auto found = attach();
    if (found == Found::never || (found == Found::not_yet && !query_.follow)) return complain(complaint_);
    if (found == Found::not_yet) {
      if (!told_waiting) complain(complaint_ + "; waiting for it");
      told_waiting = true;
      std::this_thread::sleep_for(kAbsentPoll);
      continue;
    }
    if (!query_.follow) return print_moment();
    const bool busy = drain();
    if (output_gone_) return kFailed;
    pause(busy);
  }
}

// One moment: what is evicted while it is read is left out, and leaves no hole.
int LocalTail::print_moment() {
  const auto matches = [this](const shm::RecordView& record) {
    return (!query_.since_ns || record.time_ns >= *query_.since_ns) && query_.matches(record);
  };
  const auto snapshot =
      query_.key ? reader_->last_of_key(*directory_, *query_.key, query_.last.value_or(~0ull), matches)
                 : reader_->snapshot(*directory_);
  std::vector<const shm::RecordView*> chosen;  // newest first
  for (std::size_t left = snapshot.records.size(); left > 0; --left) {
    const shm::RecordView& record = snapshot.records[left - 1];
    if (query_.last && chosen.size() >= *query_.last) break;
    if (matches(record)) chosen.push_back(&record);
  }
  std::reverse(chosen.begin(), chosen.end());
  for (const shm::RecordView* record : chosen) {
    if (!printer_.record(*record)) return kFailed;
  }
  return printer_.flush() ? kOk : kFailed;
}

LocalTail::Found LocalTail::attach() {
  const auto now = Clock::now();
  if (reader_ && now - last_replaced_check_ >= kReplacedCheck) {
    last_replaced_check_ = now;
    if (reader_->replaced()) {
      reader_.reset();
      directory_.reset();
    }
  }
  if (!reader_) {
    auto opened = open_segment(globals_);
    if (!opened) {
      complaint_ = opened.error().text;
      // What was fine and is damaged now will be set aside by its writer.
      const bool mended_soon = began_before_ && opened.error().code == Errc::corrupt;
      return mended_soon || may_pass(opened.error().code) ? Found::not_yet : Found::never;
    }
    reader_.emplace(std::move(opened.value()));
    instance_ = reader_->info().instance;
  }
  // Nothing was committed: nothing can have changed.
  if (directory_ && reader_->generation(directory_->id) == seen_generation_) return Found::yes;
  return locate();
}

LocalTail::Found LocalTail::locate() {
  auto info = find_directory(*reader_, query_.directory, shm::Kind::log);
  if (!info) {
    complaint_ = info.error().text;
    directory_.reset();
    return Found::not_yet;
  }
  const bool same = directory_ && directory_->incarnation == info.value().incarnation;
  if (!same) begin(info.value());
  directory_ = std::move(info.value());
  return Found::yes;
}

void LocalTail::begin(const shm::DirectoryInfo& info) {
  cursor_ = {};
  seen_generation_ = 0;
  expected_ordinal_.reset();
  hole_ = 0;
  if (began_before_) {
    // Another segment or another life of the directory: all of it is news.
    printer_.gap(std::nullopt, "replaced");
    expected_seq_ = 0;
    return;
  }
  began_before_ = true;
  cursor_.next_seq = start_seq(info);
  expected_seq_ = info.next_seq;
  if (query_.key && query_.follow) learn_ordinal(info);
}

std::uint64_t LocalTail::start_seq(const shm::DirectoryInfo& info) {
  std::uint64_t start = 0;
  if (query_.since_ns) start = reader_->seek_time(info, *query_.since_ns);
  if (!query_.last) return start;
  if (*query_.last == 0) return info.next_seq;
  const auto matches = [this](const shm::RecordView& record) { return query_.matches(record); };
  return std::max(start, query_.key ? reader_->seek_last_of_key(info, *query_.key, *query_.last, matches)
                                    : reader_->seek_last(info, *query_.last, matches));
}

// Where the key stands now: its next record carries the ordinal after this one's.
void LocalTail::learn_ordinal(const shm::DirectoryInfo& info) {
  const auto newest = reader_->get(info, *query_.key);
  expected_ordinal_ = newest ? newest->ordinal + 1 : 0;
  if (newest) expected_seq_ = std::max(expected_seq_, newest->seq + 1);
}

// True when there was anything.
bool LocalTail::drain() {
  const auto generation = reader_->generation(directory_->id);
  if (generation == seen_generation_) return false;
  bool any = false;
  for (bool end = false; !end && !output_gone_;) {
    const auto result = reader_->read(*directory_, cursor_, {}, [&](const shm::RecordView& record) {
      any = true;
      return take(record);
    });
    end = result.reached_end;
    if (!printer_.flush()) output_gone_ = true;
  }
  seen_generation_ = generation;
  return any;
}

bool LocalTail::take(const shm::RecordView& record) {
  count_missed(record);
  if (!query_.matches(record)) return true;
  if (missed_ > 0 || unknown_missed_) {
    const auto missed = unknown_missed_ ? std::nullopt : std::optional(missed_);
    if (!printer_.gap(missed, unknown_missed_ ? "key_restarted" : "")) output_gone_ = true;
    missed_ = 0;
    unknown_missed_ = false;
  }
  if (!printer_.record(record)) output_gone_ = true;
  return !output_gone_;
}

// What lies before the follow's start was evicted before anybody asked: no gap.
void LocalTail::count_missed(const shm::RecordView& record) {
  if (expected_seq_ != 0 && record.seq > expected_seq_) {
    (query_.key ? hole_ : missed_) += record.seq - expected_seq_;
  }
  const bool following = record.seq >= expected_seq_;  // else of the newest that are shown first
  if (following) expected_seq_ = record.seq + 1;
  if (!query_.key || record.key != *query_.key || !following) return;
  // Of the numbers that did not come, those were the key's that its own count is short of.
  if (expected_ordinal_ && hole_ > 0) {
    const std::uint32_t missed = record.ordinal - *expected_ordinal_;  // modulo 2^32, as ordinals are
    if (missed <= hole_) {
      missed_ += missed;
    } else if (record.ordinal == hole_) {
      missed_ += hole_;
    } else {
      unknown_missed_ = true;  // evicted whole, and begun anew: how many there were is lost with it
    }
  }
  expected_ordinal_ = record.ordinal + 1;
  hole_ = 0;
}

void LocalTail::pause(bool was_busy) {
  const auto now = Clock::now();
  if (was_busy) last_news_ = now;
  std::this_thread::sleep_for(now - last_news_ < kIdleAfter ? kBusyPoll : kIdlePoll);
}

}  // namespace mayfly::cli
