#include "relayd/loki_tail.h"

#include <algorithm>

#include "relayd/loki_keys.h"
#include "relayd/loki_tail_follower.h"
#include "relayd/stream_start.h"

namespace mayfly::relayd {
namespace {

constexpr std::size_t kMaxHeldBytes = 256 << 10;   // not sent, or sent and not gone; and one record
constexpr std::size_t kMaxDelayedBytes = 4 << 20;  // the same, where lines wait for their time
constexpr std::size_t kFrameBytes = 256 << 10;     // of history in one message
constexpr std::size_t kEntryOverhead = 256;        // of a held entry's labels
// New directories are looked for at this pace, and what waits is looked after at the other.
constexpr std::chrono::milliseconds kSlowTick{1000};
constexpr std::chrono::milliseconds kFastTick{20};
constexpr std::uint64_t kSignOfLifeMs = 15'000;

std::size_t held_size(const loki::Entry& entry) { return entry.line.size() + kEntryOverhead; }

}  // namespace

LokiTail::LokiTail(const Parts& parts, ReadScope scope, loki::TailQuestion question,
                   std::unique_ptr<loki::TailOutput> output, std::function<void()> on_gone)
    : parts_(parts),
      scope_(std::move(scope)),
      question_(std::move(question)),
      output_(std::move(output)),
      timer_(parts.loop, [this] { tick(); }),
      on_gone_(std::move(on_gone)) {
  ++parts_.counts->tails;
}

void LokiTail::watch_reader() {
  output_->on_closed([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    // Not from here: somebody who serves our followers may have been writing to the reader just now.
    self->gone_ = true;
    self->timer_.start(std::chrono::milliseconds(0));
  });
}

LokiTail::~LokiTail() {
  end("the relay goes away");
  --parts_.counts->tails;
}

void LokiTail::end(std::string_view reason) {
  timer_.stop();
  on_gone_ = nullptr;
  stalled_.clear();
  for (const auto& [place, follower] : std::exchange(followers_, {})) follower->leave();
  if (const auto output = std::exchange(output_, nullptr)) output->close(reason);
}

void LokiTail::begin(const LokiLogAnswer& history, const LokiTailPlaces& places) {
  if (!is_open()) return;
  began_ = true;
  send_history(history);
  const auto reader = parts_.segment.reader(scope_);
  const auto key = LokiKeys::only_key(question_.query.selector);
  for (const auto& directory : places.directories) {
    StreamStart start;
    start.identity = {places.instance, directory.incarnation};
    start.next_seq = start.follow_from = directory.next_seq;
    if (key && reader && parts_.segment.instance() == places.instance) {
      // Up to the newest one, holes cannot be told from history.
      const auto newest = reader->get(directory, *key);
      start.next_ordinal = newest ? newest->ordinal + 1 : 0;
      if (newest) start.follow_from = std::max(start.follow_from, newest->seq + 1);
    }
    follow(directory, start);
  }
  looked_ms_ = sent_ms_ = uv_now(parts_.loop);
  look_for_directories();
  if (is_open()) set_pace();
}

/// The oldest first, whatever stream they are of.
void LokiTail::send_history(const LokiLogAnswer& history) {
  std::multimap<std::uint64_t, std::pair<const logql::Labels*, const loki::Entry*>> by_time;
  for (const auto& stream : history.streams) {
    for (const auto& entry : stream.entries)
      by_time.emplace(entry.time_ns, std::pair(&stream.labels, &entry));
  }
  for (const auto& [time_ns, entry] : by_time) {
    ready_[*entry.first].push_back(*entry.second);
    held_bytes_ += held_size(*entry.second);
    if (held_bytes_ >= kFrameBytes) flush();
  }
  flush();
}

void LokiTail::follow(const shm::DirectoryInfo& directory, const StreamStart& start) {
  const auto where = scope_.admit(directory.kind, directory.name);
  if (!where) return;
  auto& follower = followers_[{directory.kind, directory.name}];
  if (follower) return;
  follower = std::make_shared<LokiTailFollower>(weak_from_this(), question_.query, directory.kind,
                                                directory.name, start);
  const auto added = follower;  // the map may change while it is served
  parts_.follow.subscribe(*where, added);
}

/// Follows what came up from its beginning, and lets go of what is no more.
void LokiTail::look_for_directories() {
  const auto reader = parts_.segment.reader(scope_);
  if (!reader) return;
  const std::uint64_t instance = parts_.segment.instance();
  std::map<Place, bool> there;
  for (const auto& directory : reader->directories()) {
    if (!LokiKeys::may_select(question_.query.selector, directory.kind, directory.name)) continue;
    there[{directory.kind, directory.name}] = true;
    StreamStart start;
    start.identity = {instance, directory.incarnation};
    start.fresh = true;
    follow(directory, start);
  }
  for (auto entry = followers_.begin(); entry != followers_.end();) {
    if (there.count(entry->first) != 0) {
      ++entry;
      continue;
    }
    const auto follower = entry->second;
    entry = followers_.erase(entry);
    follower->leave();
  }
}

void LokiTail::set_pace() {
  const bool busy = !stalled_.empty() || !delayed_.empty();
  const auto pace = busy ? kFastTick : kSlowTick;
  timer_.start(pace, pace);
}

void LokiTail::tick() {
  const auto self = shared_from_this();
  if (gone_) {
    timer_.stop();
    if (const auto on_gone = std::exchange(on_gone_, nullptr)) on_gone();
    return;
  }
  const std::uint64_t now_ms = uv_now(parts_.loop);
  if (now_ms - looked_ms_ >= static_cast<std::uint64_t>(kSlowTick.count())) {
    looked_ms_ = now_ms;
    look_for_directories();
  }
  move_due();
  flush();
  if (output_ && now_ms - sent_ms_ >= kSignOfLifeMs) {
    sent_ms_ = now_ms;
    output_->keep_alive();
  }
  if (output_ && !stalled_.empty() && output_->queued() + held_bytes_ <= most_held() / 4) {
    for (const auto& go_on : std::exchange(stalled_, {})) go_on();
  }
  if (is_open()) set_pace();
}

void LokiTail::take(const logql::Labels& labels, loki::Entry entry) {
  held_bytes_ += held_size(entry);
  if (question_.delay_ns == 0) {
    ready_[labels].push_back(std::move(entry));
    return;
  }
  const std::uint64_t due = entry.time_ns + question_.delay_ns;
  const bool first = delayed_.empty();
  delayed_.emplace(due, std::pair(labels, std::move(entry)));
  if (first && began_ && is_open()) set_pace();
}

void LokiTail::move_due() {
  const std::uint64_t now_ns = parts_.segment.clocks().wall_ns();
  while (!delayed_.empty() && delayed_.begin()->first <= now_ns) {
    auto& [labels, entry] = delayed_.begin()->second;
    ready_[labels].push_back(std::move(entry));
    delayed_.erase(delayed_.begin());
  }
}

void LokiTail::take_gap(loki::DroppedEntries gap) {
  parts_.counts->missed += gap.missed.value_or(0);
  gap.time_ns = parts_.segment.clocks().wall_ns();
  dropped_.push_back(std::move(gap));
}

void LokiTail::flush() {
  if (!output_ || (ready_.empty() && dropped_.empty())) return;
  std::vector<loki::Stream> streams;
  for (auto& [labels, entries] : std::exchange(ready_, {})) {
    for (const auto& entry : entries) held_bytes_ -= held_size(entry);
    streams.push_back({labels, std::move(entries)});
  }
  sent_ms_ = uv_now(parts_.loop);
  output_->send(loki::tail_frame_json(streams, std::exchange(dropped_, {})));
}

std::size_t LokiTail::most_held() const { return question_.delay_ns > 0 ? kMaxDelayedBytes : kMaxHeldBytes; }

bool LokiTail::full() const { return output_ && output_->queued() + held_bytes_ > most_held(); }

void LokiTail::on_ready(std::function<void()> callback) {
  stalled_.push_back(std::move(callback));
  if (is_open()) set_pace();
}

}  // namespace mayfly::relayd
