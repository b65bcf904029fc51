#include "relayd/loki_tail_follower.h"

#include <utility>

#include "common/text.h"
#include "shm/clock.h"

namespace mayfly::relayd {

LokiTailFollower::LokiTailFollower(std::weak_ptr<LokiTail> tail, const logql::LogQuery& query, shm::Kind kind,
                                   const std::string& directory, const StreamStart& start)
    : Follower(LokiKeys::only_key(query.selector), start),
      tail_(std::move(tail)),
      query_(query),
      kind_(kind),
      directory_(directory),
      keys_(query_, kind, directory, true) {}

void LokiTailFollower::leave() {
  tail_.reset();
  if (const auto gone = std::exchange(gone_, nullptr)) gone();
}

void LokiTailFollower::flush() {
  if (const auto tail = tail_.lock()) tail->flush();
}

bool LokiTailFollower::full() const {
  const auto tail = tail_.lock();
  return tail && tail->full();
}

void LokiTailFollower::on_ready(std::function<void()> callback) {
  if (const auto tail = tail_.lock()) tail->on_ready(std::move(callback));
}

void LokiTailFollower::take(const SharedRecord& shared, std::optional<std::uint32_t>) {
  const auto tail = tail_.lock();
  if (!tail) return;
  const shm::RecordView& record = shared.record();
  const LokiStream* stream = keys_.stream_of(record.key, record.value);
  if (stream != nullptr) tail->take(stream->labels, {record.time_ns, std::string(record.value)});
}

void LokiTailFollower::take_gap(std::optional<std::uint64_t> missed, std::string_view, std::uint64_t,
                                std::optional<std::uint32_t>) {
  const auto tail = tail_.lock();
  if (!tail) return;
  logql::Labels labels = LokiKeys::stream_labels(kind_, directory_, {});
  labels.erase("key");
  if (const auto key = LokiKeys::only_key(query_.selector)) labels.emplace("key", *key);
  tail->take_gap({std::move(labels), 0, missed});
}

}  // namespace mayfly::relayd
