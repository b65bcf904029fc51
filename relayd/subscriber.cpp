#include "relayd/subscriber.h"

#include <algorithm>
#include <utility>

namespace mayfly::relayd {
namespace {

/// Subscribers of this process.
std::size_t& open_subscribers() {
  static std::size_t count = 0;
  return count;
}

// What waits for readers that are slower than the news: of each, and one record more, and of all.
constexpr std::size_t kMostQueueBytes = 256 << 10;
constexpr std::size_t kLeastQueueBytes = 32 << 10;
constexpr std::size_t kAllQueuesBytes = 64 << 20;
constexpr std::uint64_t kKeepAliveMs = 15'000;
constexpr std::string_view kRetry = "retry: 1000\n\n";

}  // namespace

Subscriber::Subscriber(RecordQuery query, StreamFormat format, ResponseWriterPtr response,
                       const StreamStart& start)
    : Follower(query.key, start), query_(std::move(query)), format_(format), response_(std::move(response)) {
  ++open_subscribers();
  if (format_ == StreamFormat::sse) {
    // An id before the first record, so that a reader that is cut off now misses nothing either.
    const std::string id = is_fresh() ? std::string() : cursor(next_seq(), next_ordinal());
    if (!id.empty() && next_seq() >= follow_from()) ready_ += "id: " + id + "\n";
    ready_ += kRetry;
  }
}

std::string Subscriber::cursor(std::uint64_t next_seq, std::optional<std::uint32_t> next_ordinal) const {
  if (format_ != StreamFormat::sse || !identity().known()) return {};
  if (!is_keyed()) next_ordinal.reset();
  return format_cursor({identity().instance, identity().incarnation, next_seq, next_ordinal});
}

void Subscriber::take_gap(std::optional<std::uint64_t> missed, std::string_view reason,
                          std::uint64_t next_seq, std::optional<std::uint32_t> next_ordinal) {
  append_stream_gap(ready_, format_, missed, reason, cursor(next_seq, next_ordinal));
}

void Subscriber::take(const SharedRecord& shared, std::optional<std::uint32_t> next_ordinal) {
  if (!query_.matches(shared.record())) return;
  append_stream_record(ready_, format_, shared, cursor(shared.record().seq + 1, next_ordinal));
}

Subscriber::~Subscriber() { --open_subscribers(); }

std::size_t Subscriber::most_queued() {
  return std::clamp(kAllQueuesBytes / std::max<std::size_t>(open_subscribers(), 1), kLeastQueueBytes,
                    kMostQueueBytes);
}

bool Subscriber::full() const { return response_->queued() + ready_.size() > most_queued(); }

void Subscriber::on_ready(std::function<void()> callback) {
  response_->on_drain(most_queued() / 4, std::move(callback));
}

void Subscriber::on_gone(std::function<void()> callback) { response_->on_closed(std::move(callback)); }

void Subscriber::flush() {
  if (ready_.empty()) return;
  response_->write(ready_);
  sent_ = true;
  ready_.clear();
  if (ready_.capacity() > kLeastQueueBytes) ready_.shrink_to_fit();
}

void Subscriber::keep_alive(std::uint64_t now_ms) {
  if (std::exchange(sent_, false)) last_sent_ms_ = now_ms;
  if (format_ != StreamFormat::sse || now_ms - last_sent_ms_ < kKeepAliveMs) return;
  last_sent_ms_ = now_ms;
  response_->write(": \n\n");
}

}  // namespace mayfly::relayd
