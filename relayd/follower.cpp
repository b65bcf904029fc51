#include "relayd/follower.h"

#include <algorithm>
#include <utility>

namespace mayfly::relayd {

Follower::Follower(std::optional<std::string> key, const StreamStart& start)
    : key_(std::move(key)),
      identity_(start.identity),
      next_seq_(start.next_seq),
      follow_from_(start.follow_from),
      fresh_(start.fresh),
      next_ordinal_(start.next_ordinal) {
  own_place.next_seq = start.next_seq;
}

void Follower::offer(const SharedRecord& shared) {
  const std::uint64_t seq = shared.record().seq;
  if (std::exchange(fresh_, false)) next_seq_ = follow_from_ = seq;
  if (seq < next_seq_) return;
  const std::uint64_t from = std::max(next_seq_, follow_from_);
  const std::uint64_t hole = seq > from ? seq - from : 0;
  if (key_) {
    offer_keyed(shared, hole);
  } else {
    if (hole > 0) take_gap(hole, {}, seq, std::nullopt);
    take(shared, std::nullopt);
  }
  next_seq_ = seq + 1;
}

void Follower::offer_keyed(const SharedRecord& shared, std::uint64_t hole) {
  const shm::RecordView& record = shared.record();
  hole_ += hole;
  if (record.key != *key_) return;
  const bool following = record.seq >= follow_from_;
  if (following && next_ordinal_ && hole_ > 0) {
    const std::uint32_t missed = record.ordinal - *next_ordinal_;  // modulo 2^32, as ordinals are
    if (missed > hole_ && record.ordinal == hole_) {
      take_gap(hole_, {}, record.seq, record.ordinal);
    } else if (missed > hole_) {
      take_gap(std::nullopt, "key_restarted", record.seq, record.ordinal);
    } else if (missed > 0) {
      take_gap(missed, {}, record.seq, record.ordinal);
    }
  }
  if (following || !next_ordinal_) next_ordinal_ = record.ordinal + 1;
  hole_ = 0;
  take(shared, record.ordinal + 1);
}

void Follower::reached(std::uint64_t position) {
  if (std::exchange(fresh_, false)) next_seq_ = follow_from_ = position;
  if (position <= next_seq_) return;
  const std::uint64_t from = std::max(next_seq_, follow_from_);
  const std::uint64_t hole = position > from ? position - from : 0;
  if (key_) {
    hole_ += hole;
  } else if (hole > 0) {
    take_gap(hole, {}, position, std::nullopt);
  }
  next_seq_ = position;
}

void Follower::restart(const DirectoryIdentity& identity) {
  const bool had_place = identity_.known();
  identity_ = identity;
  next_seq_ = follow_from_ = 0;
  fresh_ = true;
  next_ordinal_.reset();
  hole_ = 0;
  own_place = shm::Cursor{};
  if (had_place) take_gap(std::nullopt, "replaced", 0, std::nullopt);
}

}  // namespace mayfly::relayd
