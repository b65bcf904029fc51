#include "relayd/subscriber.h"

#include <algorithm>
#include <utility>

namespace mayfly::relayd {
namespace {

constexpr std::size_t kMaxQueuedBytes = 256 << 10;  // per reader, and one record
constexpr std::uint64_t kKeepAliveMs = 15'000;
constexpr std::string_view kRetry = "retry: 1000\n\n";

}  // namespace

Subscriber::Subscriber(RecordQuery query, StreamFormat format, ResponseWriterPtr response,
                       const StreamStart& start)
    : query_(std::move(query)),
      format_(format),
      response_(std::move(response)),
      identity_(start.identity),
      next_seq_(start.next_seq),
      follow_from_(start.follow_from),
      fresh_(start.fresh),
      next_ordinal_(start.next_ordinal) {
  own_place.next_seq = start.next_seq;
  if (format_ == StreamFormat::sse) {
    // An id before the first record, so that a reader that is cut off now misses nothing either.
    const std::string id = fresh_ ? std::string() : cursor(next_seq_, next_ordinal_);
    if (!id.empty() && next_seq_ >= follow_from_) ready_ += "id: " + id + "\n";
    ready_ += kRetry;
  }
}

std::string Subscriber::cursor(std::uint64_t next_seq, std::optional<std::uint32_t> next_ordinal) const {
  if (format_ != StreamFormat::sse || !identity_.known()) return {};
  if (!query_.key) next_ordinal.reset();
  return format_cursor({identity_.instance, identity_.incarnation, next_seq, next_ordinal});
}

void Subscriber::gap(std::optional<std::uint64_t> missed, std::string_view reason, std::uint64_t next_seq,
                     std::optional<std::uint32_t> next_ordinal) {
  append_stream_gap(ready_, format_, missed, reason, cursor(next_seq, next_ordinal));
}

void Subscriber::emit(const SharedRecord& shared) {
  if (!query_.matches(shared.record())) return;
  std::optional<std::uint32_t> next_ordinal;
  if (query_.key) next_ordinal = shared.record().ordinal + 1;
  append_stream_record(ready_, format_, shared, cursor(shared.record().seq + 1, next_ordinal));
}

void Subscriber::offer(const SharedRecord& shared) {
  const std::uint64_t seq = shared.record().seq;
  if (std::exchange(fresh_, false)) next_seq_ = follow_from_ = seq;
  if (seq < next_seq_) return;
  const std::uint64_t from = std::max(next_seq_, follow_from_);
  const std::uint64_t hole = seq > from ? seq - from : 0;
  if (query_.key) {
    offer_keyed(shared, hole);
  } else {
    if (hole > 0) gap(hole, {}, seq, std::nullopt);
    emit(shared);
  }
  next_seq_ = seq + 1;
}

void Subscriber::offer_keyed(const SharedRecord& shared, std::uint64_t hole) {
  const shm::RecordView& record = shared.record();
  hole_ += hole;
  if (record.key != *query_.key) return;
  const bool following = record.seq >= follow_from_;
  if (following && next_ordinal_ && hole_ > 0) {
    const std::uint32_t missed = record.ordinal - *next_ordinal_;  // modulo 2^32, as ordinals are
    if (missed > hole_ && record.ordinal == hole_) {
      gap(hole_, {}, record.seq, record.ordinal);
    } else if (missed > hole_) {
      gap(std::nullopt, "key_restarted", record.seq, record.ordinal);
    } else if (missed > 0) {
      gap(missed, {}, record.seq, record.ordinal);
    }
  }
  if (following || !next_ordinal_) next_ordinal_ = record.ordinal + 1;
  hole_ = 0;
  emit(shared);
}

void Subscriber::reached(std::uint64_t position) {
  if (std::exchange(fresh_, false)) next_seq_ = follow_from_ = position;
  if (position <= next_seq_) return;
  const std::uint64_t from = std::max(next_seq_, follow_from_);
  const std::uint64_t hole = position > from ? position - from : 0;
  if (query_.key) {
    hole_ += hole;
  } else if (hole > 0) {
    gap(hole, {}, position, std::nullopt);
  }
  next_seq_ = position;
}

void Subscriber::restart(const DirectoryIdentity& identity) {
  const bool had_place = identity_.known();
  identity_ = identity;
  next_seq_ = follow_from_ = 0;
  fresh_ = true;
  next_ordinal_.reset();
  hole_ = 0;
  own_place = shm::Cursor{};
  if (had_place) gap(std::nullopt, "replaced", 0, std::nullopt);
}

bool Subscriber::full() const { return response_->queued() + ready_.size() > kMaxQueuedBytes; }

void Subscriber::flush() {
  if (ready_.empty()) return;
  response_->write(ready_);
  sent_ = true;
  ready_.clear();
  if (ready_.capacity() > kMaxQueuedBytes) ready_.shrink_to_fit();
}

void Subscriber::keep_alive(std::uint64_t now_ms) {
  if (std::exchange(sent_, false)) last_sent_ms_ = now_ms;
  if (format_ != StreamFormat::sse || now_ms - last_sent_ms_ < kKeepAliveMs) return;
  last_sent_ms_ = now_ms;
  response_->write(": \n\n");
}

}  // namespace mayfly::relayd
