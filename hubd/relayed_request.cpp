#include "hubd/relayed_request.h"

#include <utility>

#include "common/text.h"
#include "hubd/header_filter.h"
#include "hubd/host_link.h"
#include "hubd/plain_text.h"

namespace mayfly::hubd {
namespace {

constexpr std::string_view kFinished = "StreamFinished\n";
constexpr std::string_view kNotWanted = "ClientDisconnected\n";
constexpr std::string_view kBroken = "Error in relay\n";

std::string_view path_of(std::string_view uri) { return uri.substr(0, uri.find('?')); }

const std::string* find_header(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace

RelayedRequest::RelayedRequest(LinkShared& shared, HostLink& link, std::uint64_t number,
                               WrappedRequest wrapped, ResponseWriterPtr reader, Plan plan)
    : shared_(shared),
      link_(link),
      number_(number),
      wrapped_(std::move(wrapped)),
      id_(wrapped_.id),
      path_(path_of(wrapped_.uri)),
      is_head_(wrapped_.method == "HEAD"),
      size_(wrapped_.uri.size() + wrapped_.id.size()),
      reader_(std::move(reader)),
      plan_(std::move(plan)) {
  for (const auto& [name, value] : wrapped_.headers) size_ += name.size() + value.size();
}

void RelayedRequest::start() {
  // As the original: who closes his sending side has gone. Otherwise nobody would notice before the
  // first byte of the answer, and his server would work for nothing.
  reader_->set_open_ended();
  const std::weak_ptr<RelayedRequest> weak = weak_from_this();
  reader_->on_closed([weak] {
    if (const RelayedRequestPtr self = weak.lock()) self->reader_gone();
  });
  deadline_ = shared_.deadlines.add(plan_.head_timeout, [weak] {
    const RelayedRequestPtr self = weak.lock();
    if (!self) return;
    ++self->shared_.counts().timed_out;
    self->tell_reader(504, "Remote server never responded\n");
    self->done();
  });
}

void RelayedRequest::asked() { stage_ = Stage::asked; }

bool RelayedRequest::take_back() {
  if (stage_ != Stage::asked || std::exchange(taken_back_, true)) return false;
  stage_ = Stage::waiting;
  return true;
}

void RelayedRequest::take_post(TunnelledAnswer& answer) {
  stage_ = Stage::answering;
  shared_.deadlines.remove(deadline_);
  wrapped_ = {};
  post_ = std::move(answer.post);
  body_ = std::move(answer.body);
  const std::weak_ptr<RelayedRequest> weak = weak_from_this();
  post_->on_closed([weak] {
    if (const RelayedRequestPtr self = weak.lock()) self->body_ended(false);
  });
}

void RelayedRequest::answer(TunnelledAnswer answer) {
  take_post(answer);
  if (!read_length(answer.head)) return give_up();
  const int status = answer.head.status;
  HttpHeaders headers = headers_for_reader(answer.head.headers, path_, plan_.prefix);
  if (is_head_ || status == 204 || status == 304) {
    return answer_without_body(status, std::move(headers), answer.announces_body);
  }
  if (!body_) return answer_whole(status, headers, answer.small_body);
  const std::string* type = find_header(answer.head.headers, "content-type");
  event_stream_ = type != nullptr && type->starts_with("text/event-stream");
  stream_answer(status, std::move(headers));
}

bool RelayedRequest::read_length(const WrappedHead& head) {
  const std::string* length = find_header(head.headers, "content-length");
  if (length == nullptr) return true;
  declared_ = parse_u64(*length);
  return declared_.has_value();
}

void RelayedRequest::answer_without_body(int status, HttpHeaders headers, bool announces_body) {
  ++shared_.metrics.answers[status];
  if (status == 204 || status == 304) {
    reader_->send(status, headers, "");
  } else {
    if (declared_) headers.emplace_back("Content-Length", std::to_string(*declared_));
    reader_->begin(status, headers);
  }
  // A body that was announced may never come: nobody waits for it.
  answer_post(announces_body ? kNotWanted : kFinished);
  ++shared_.counts().answered;
  done();
}

void RelayedRequest::answer_whole(int status, const HttpHeaders& headers, std::string_view body) {
  if (declared_ && *declared_ > body.size()) return give_up();
  if (declared_) body = body.substr(0, *declared_);
  ++shared_.metrics.answers[status];
  shared_.counts().body_bytes += body.size();
  reader_->send(status, headers, body);
  if (stage_ != Stage::answering) return;  // that was more than the reader takes
  answer_post(kFinished);
  ++shared_.counts().answered;
  done();
}

void RelayedRequest::stream_answer(int status, HttpHeaders headers) {
  ++shared_.metrics.answers[status];
  if (declared_) headers.emplace_back("Content-Length", std::to_string(*declared_));
  reader_->begin(status, headers);
  progress_ms_ = shared_.deadlines.now_ms();
  check_stream();
  const std::weak_ptr<RelayedRequest> weak = weak_from_this();
  body_->read(
      [weak](std::string_view data) {
        if (const RelayedRequestPtr self = weak.lock()) self->received(data);
      },
      [weak](bool complete) {
        if (const RelayedRequestPtr self = weak.lock()) self->body_ended(complete);
      });
}

void RelayedRequest::received(std::string_view data) {
  if (stage_ != Stage::answering) return;
  progress_ms_ = shared_.deadlines.now_ms();
  const std::uint64_t room = declared_ ? *declared_ - passed_on_ : data.size();
  const bool too_much = data.size() > room;
  if (too_much) data = data.substr(0, room);
  passed_on_ += data.size();
  shared_.counts().body_bytes += data.size();
  reader_->write(data);
  if (stage_ != Stage::answering) return;
  if (too_much) return body_ended(true);
  if (reader_->queued() > kHoldAbove && body_ && !held_back_) hold_back();
}

void RelayedRequest::hold_back() {
  held_back_ = true;
  queued_at_check_ = reader_->queued();
  body_->pause(true);
  reader_->on_drain(kGoOnBelow, [weak = weak_from_this()] {
    const RelayedRequestPtr self = weak.lock();
    if (!self || self->stage_ != Stage::answering) return;
    self->held_back_ = false;
    self->progress_ms_ = self->shared_.deadlines.now_ms();
    self->body_->pause(false);
  });
}

void RelayedRequest::body_ended(bool complete) {
  if (stage_ != Stage::answering) return;
  if (!complete || (declared_ && passed_on_ < *declared_)) return cut();
  reader_->end();
  answer_post(kFinished);
  ++shared_.counts().answered;
  done();
}

void RelayedRequest::reader_gone() {
  if (stage_ == Stage::done) return;
  ++shared_.counts().cancelled;
  if (stage_ == Stage::answering) answer_post(kNotWanted);
  done();
}

void RelayedRequest::check_stream() {
  const std::uint64_t now = shared_.deadlines.now_ms();
  const auto longer_than = [&](std::chrono::milliseconds limit) {
    return now - progress_ms_ > static_cast<std::uint64_t>(limit.count());
  };
  if (held_back_) {
    const std::size_t queued = reader_->queued();
    if (queued < queued_at_check_) progress_ms_ = now;
    queued_at_check_ = queued;
    if (longer_than(shared_.times.reader_stall)) return cut();
  } else if (event_stream_ && plan_.stays_alive && longer_than(shared_.times.stream_silence)) {
    return cut();  // its server's network is gone, and nothing else would ever tell
  }
  deadline_ = shared_.deadlines.add(shared_.times.stream_check, [weak = weak_from_this()] {
    const RelayedRequestPtr self = weak.lock();
    if (self && self->stage_ == Stage::answering) self->check_stream();
  });
}

void RelayedRequest::dismiss(int status, std::string_view text) {
  if (stage_ == Stage::done) return;
  if (stage_ == Stage::answering) return cut();
  ++shared_.counts().turned_away;
  tell_reader(status, text);
  done();
}

void RelayedRequest::refuse_answer(TunnelledAnswer answer) {
  take_post(answer);
  give_up();
}

void RelayedRequest::give_up() {
  ++shared_.counts().broken;
  tell_reader(502, kBroken);
  answer_post(kNotWanted);
  done();
}

void RelayedRequest::cut() {
  ++shared_.counts().cut;
  reader_->abort();
  answer_post(kNotWanted);
  done();
}

void RelayedRequest::answer_post(std::string_view text) {
  if (!post_) return;
  ++shared_.metrics.answers[200];
  post_->send(200, {{"Content-Type", "text/plain"}}, text);
}

void RelayedRequest::tell_reader(int status, std::string_view text) {
  send_text(*reader_, shared_.metrics, status, text);
}

void RelayedRequest::done() {
  shared_.deadlines.remove(deadline_);
  stage_ = Stage::done;
  body_.reset();
  post_.reset();
  link_.request_done(*this);
}

}  // namespace mayfly::hubd
