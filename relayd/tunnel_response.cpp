#include "relayd/tunnel_response.h"

#include <utility>

namespace mayfly::relayd {
namespace {

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

TunnelResponse::~TunnelResponse() {
  if (stage_ == Stage::waiting) {
    const std::string body = problem_json(500, "no_answer", "the request was given up");
    TunnelResponse::send(500, {{"Content-Type", "application/problem+json"}}, body);
  } else if (stage_ == Stage::streaming) {
    TunnelResponse::abort();
  }
}

std::shared_ptr<HttpUpload> TunnelResponse::start(const WrappedHead& head,
                                                  std::optional<std::uint64_t> length) {
  const auto posts = posts_.lock();
  if (!posts) return nullptr;
  const auto ended = [tunnel = posts_, id = id_, self = weak_from_this()](const HttpClientResponse&) {
    // What the relay thinks of the answer changes nothing here: only that the POST is over.
    if (const auto alive = tunnel.lock()) alive->finished(id);
    if (const auto response = self.lock()) response->post_ended();
  };
  return posts->post(id_, head, length, ended);
}

void TunnelResponse::send(int status, const HttpHeaders& headers, std::string_view body) {
  if (stage_ != Stage::waiting) return;
  stage_ = Stage::done;
  WrappedHead head{status, headers};
  if (!has_no_body(status)) head.headers.emplace_back("content-length", std::to_string(body.size()));
  // A HEAD's length is in the headers; the POST's own says 0, so that it comes to its end.
  if (head_only_ || has_no_body(status)) body = {};
  const auto upload = start(head, body.size());
  if (!upload) return;
  upload->write(body);
  upload->end();
}

void TunnelResponse::begin(int status, const HttpHeaders& headers) {
  if (stage_ != Stage::waiting) return;
  const bool bodiless = head_only_ || has_no_body(status);
  stage_ = bodiless ? Stage::done : Stage::streaming;
  upload_ = start({status, headers}, bodiless ? std::optional<std::uint64_t>(0) : std::nullopt);
  if (!bodiless) return;
  if (upload_) upload_->end();
  upload_.reset();
  ended_early_ = true;
}

void TunnelResponse::write(std::string_view data) {
  if (stage_ == Stage::streaming && upload_) upload_->write(data);
}

void TunnelResponse::end() {
  if (stage_ != Stage::streaming) return;
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
