#include "hubd/collecting_writer.h"

#include <algorithm>
#include <utility>

namespace mayfly::hubd {

CollectingWriter::CollectingWriter(std::size_t max_bytes, std::size_t& budget, std::function<void()> finished)
    : max_bytes_(max_bytes), budget_(budget), finished_(std::move(finished)) {}

void CollectingWriter::send(int status, const HttpHeaders& headers, std::string_view body) {
  if (closed_) return;
  begin(status, headers);
  write(body);
  end();
}

void CollectingWriter::begin(int status, const HttpHeaders& headers) {
  if (closed_) return;
  answer_.status = status;
  answer_.headers = headers;
}

void CollectingWriter::write(std::string_view data) {
  if (closed_) return;
  const std::size_t room = std::min(max_bytes_ - answer_.body.size(), budget_);
  answer_.cut = data.size() > room;
  data = data.substr(0, room);
  answer_.body += data;
  budget_ -= data.size();
  if (!answer_.cut) return;
  cancel();  // the sender need not go on
  finish();
}

void CollectingWriter::end() {
  if (closed_) return;
  answer_.complete = true;
  finish();
}

void CollectingWriter::abort() {
  if (!closed_) finish();
}

void CollectingWriter::cancel() {
  closed_ = true;
  if (const Callback call = std::exchange(on_closed_, nullptr)) call();
}

void CollectingWriter::finish() {
  closed_ = true;
  on_closed_ = nullptr;
  if (const auto call = std::exchange(finished_, nullptr)) call();
}

/// Nothing is ever queued: whoever waits is let go on by the caller's next turn, and none does wait.
void CollectingWriter::on_drain(std::size_t, Callback) {}

void CollectingWriter::on_closed(Callback callback) {
  if (!closed_) on_closed_ = std::move(callback);
}

}  // namespace mayfly::hubd
