#include "hubd/loki_host_tail.h"

namespace mayfly::hubd {

void LokiHostTail::cancel() {
  closed_ = true;
  callbacks_.ended = nullptr;
  drain_ = nullptr;
  if (const Callback call = std::exchange(on_closed_, nullptr)) call();
}

void LokiHostTail::tick(std::uint64_t now_ms) {
  if (std::exchange(sent_, false) || is_held_back()) alive_ms_ = now_ms;
  if (drain_ && queued() <= drain_below_) std::exchange(drain_, nullptr)();
}

void LokiHostTail::send(int status, const HttpHeaders& headers, std::string_view body) {
  begin(status, headers);
  write(body);
  end();
}

void LokiHostTail::begin(int status, const HttpHeaders&) {
  sent_ = true;
  if (!closed_) status_ = status;
}

void LokiHostTail::write(std::string_view data) {
  if (closed_ || status_ != 200) return;  // the text of an error is nobody's line
  sent_ = true;
  while (!data.empty() && !closed_) {
    const std::size_t end = data.find('\n');
    const std::string_view piece = data.substr(0, end);
    const bool complete = end != std::string_view::npos;
    data.remove_prefix(complete ? end + 1 : data.size());
    if (!skipping_ && rest_.size() + piece.size() > kMaxLineBytes) {
      skipping_ = true;
      rest_ = std::string();
      callbacks_.too_long();
    }
    if (!skipping_) rest_ += piece;
    if (!complete) return;
    const std::string line = std::exchange(rest_, {});
    if (!std::exchange(skipping_, false) && !line.empty()) callbacks_.line(line);
  }
}

void LokiHostTail::on_drain(std::size_t below, Callback callback) {
  if (closed_) return;
  drain_below_ = below;
  drain_ = std::move(callback);
}

void LokiHostTail::on_closed(Callback callback) {
  if (!closed_) on_closed_ = std::move(callback);
}

void LokiHostTail::finish() {
  if (std::exchange(closed_, true)) return;
  on_closed_ = nullptr;
  drain_ = nullptr;
  if (const auto call = std::exchange(callbacks_.ended, nullptr)) call();
}

}  // namespace mayfly::hubd
