#include "relayd/tunnel_response.h"

#include <utility>

#include "common/http_answer_head.h"

namespace mayfly::relayd {
TunnelResponse::~TunnelResponse() {
  if (stage_ == Stage::waiting) {
    const std::string body = problem_json(500, "no_answer", "the request was given up");
    TunnelResponse::send(500, {{"Content-Type", "application/problem+json"}}, body);
  } else if (stage_ == Stage::streaming) {
    TunnelResponse::abort();
  }
}

std::shared_ptr<HttpUpload> TunnelResponse::start(int status, const HttpHeaders& headers,
                                                  std::optional<std::uint64_t> length,
                                                  std::optional<std::uint64_t> sent) {
  const auto posts = posts_.lock();
  if (!posts) return nullptr;
  WrappedHead head{status, {}};
  for (const auto& header : headers) {
    if (may_be_sent(status, header.first, header.second)) head.headers.push_back(header);
  }
  if (length) head.headers.emplace_back("content-length", std::to_string(*length));
  const auto ended = [tunnel = posts_, id = id_, self = weak_from_this()](const HttpClientResponse&) {
    // What the relay thinks of the answer changes nothing here: only that the POST is over.
    if (const auto alive = tunnel.lock()) alive->finished(id);
    if (const auto response = self.lock()) response->post_ended();
  };
  return posts->post(id_, head, sent, ended);
}

void TunnelResponse::send(int status, const HttpHeaders& headers, std::string_view body) {
  if (stage_ != Stage::waiting) return;
  stage_ = Stage::done;
  const bool bodiless = head_only_ || has_no_body(status);
  std::optional<std::uint64_t> length;
  if (bodiless) length = announced_length(headers);
  if (!length && status != 304) length = body.size();
  if (status < 200 || status == 204) length.reset();
  // A HEAD's length is in the headers; the POST's own says 0, so that it comes to its end.
  if (bodiless) body = {};
  const auto upload = start(status, headers, length, body.size());
  if (!upload) return;
  upload->write(body);
  upload->end();
}

void TunnelResponse::begin(int status, const HttpHeaders& headers) {
  if (stage_ != Stage::waiting) return;
  const bool bodiless = head_only_ || has_no_body(status);
  left_ = announced_length(headers);
  if (status < 200 || status == 204) left_.reset();
  stage_ = bodiless ? Stage::done : Stage::streaming;
  upload_ = start(status, headers, left_, bodiless ? std::optional<std::uint64_t>(0) : left_);
  if (!bodiless) return;
  if (upload_) upload_->end();
  upload_.reset();
  ended_early_ = true;
}

void TunnelResponse::write(std::string_view data) {
  if (stage_ != Stage::streaming || !upload_) return;
  if (left_) {
    // More than was announced: the reader shall see that this answer cannot be trusted.
    if (data.size() > *left_) return abort();
    *left_ -= data.size();
  }
  upload_->write(data);
}

void TunnelResponse::end() {
  if (stage_ != Stage::streaming) return;
  if (left_.value_or(0) > 0) return abort();  // less than was announced
  stage_ = Stage::done;
  closed_ = nullptr;
  if (upload_) upload_->end();
  upload_.reset();
}

void TunnelResponse::abort() {
  if (stage_ == Stage::done) return;
  if (stage_ == Stage::waiting) {
    // Without any POST the reader would wait for the relay's own limit.
    return send_problem(*this, 500, "broken_off", "the answer was broken off before it began");
  }
  stage_ = Stage::done;
  closed_ = nullptr;
  if (upload_) upload_->abort();
  upload_.reset();
  if (const auto posts = posts_.lock()) posts->finished(id_);
}

std::size_t TunnelResponse::queued() const { return upload_ ? upload_->queued() : 0; }

void TunnelResponse::on_drain(std::size_t below, Callback callback) {
  if (stage_ == Stage::done) return;
  if (upload_) return upload_->on_drain(below, std::move(callback));
  if (const auto posts = posts_.lock()) posts->defer(std::move(callback));
}

void TunnelResponse::on_closed(Callback callback) {
  if (stage_ != Stage::done) {
    closed_ = std::move(callback);
  } else if (std::exchange(ended_early_, false)) {
    if (const auto posts = posts_.lock()) posts->defer(std::move(callback));
  }
}

void TunnelResponse::post_ended() {
  if (stage_ == Stage::done) return;
  stage_ = Stage::done;
  upload_.reset();
  if (const Callback call = std::exchange(closed_, nullptr)) {
    call();
  } else {
    ended_early_ = true;
  }
}

}  // namespace mayfly::relayd
