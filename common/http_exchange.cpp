#include "common/http_exchange.h"

#include <utility>

#include "common/http_byte_stream.h"

namespace mayfly {
namespace {

std::string hex(std::size_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  do {
    out.insert(out.begin(), kDigits[value & 15]);
    value >>= 4;
  } while (value != 0);
  return out;
}

}  // namespace

HttpExchange::HttpExchange(std::shared_ptr<HttpConnection> connection, const ParsedRequest& parsed)
    : connection_(std::move(connection)),
      head_only_(parsed.request.is_head()),
      http_1_0_(parsed.http_1_0),
      keep_alive_(parsed.keep_alive) {}

HttpExchange::~HttpExchange() {
  if (stage_ == Stage::waiting) {
    const std::string body = problem_json(500, "no_answer", "the request was given up");
    send(500, {{"Content-Type", "application/problem+json"}}, body);
  } else if (stage_ == Stage::streaming) {
    abort();
  }
}

void HttpExchange::put_head(int status, const HttpHeaders& headers, AnswerFraming framing) {
  if (connection_->mid_body()) keep_alive_ = false;  // what comes next is no request
  framing.keep_alive = keep_alive_;
  framing.http_1_0 = http_1_0_;
  connection_->write(answer_head(status, headers, framing));
}

void HttpExchange::send(int status, const HttpHeaders& headers, std::string_view body) {
  if (stage_ != Stage::waiting) return;
  AnswerFraming framing;
  const bool bodiless = head_only_ || has_no_body(status);
  if (bodiless) framing.length = announced_length(headers);
  if (!framing.length && status != 304) framing.length = body.size();
  if (status < 200 || status == 204) framing.length.reset();
  put_head(status, headers, framing);
  if (!bodiless) connection_->write(body);
  complete();
}

void HttpExchange::begin(int status, const HttpHeaders& headers) {
  if (stage_ != Stage::waiting) return;
  stage_ = Stage::streaming;
  const bool bodiless = head_only_ || has_no_body(status);
  left_ = announced_length(headers);
  if (status < 200 || status == 204) left_.reset();
  chunked_ = !left_ && !http_1_0_ && !has_no_body(status);
  if (!left_ && !chunked_ && !bodiless) keep_alive_ = false;  // the connection's end is the body's end
  put_head(status, headers, {left_, chunked_, true, false});
  if (!bodiless) return;
  ended_early_ = true;
  complete();
}

void HttpExchange::write(std::string_view data) {
  if (stage_ != Stage::streaming || data.empty()) return;
  if (left_) {
    // More than was announced: the reader shall see that this answer cannot be trusted.
    if (data.size() > *left_) return connection_->break_off(false);
    *left_ -= data.size();
  }
  if (chunked_) connection_->write(hex(data.size()) + "\r\n");
  connection_->write(data);
  if (chunked_) connection_->write("\r\n");
}

void HttpExchange::end() {
  if (stage_ != Stage::streaming) return;
  if (left_.value_or(0) > 0) return abort();  // less than was announced
  if (chunked_) connection_->write("0\r\n\r\n");
  complete();
}

void HttpExchange::abort() {
  if (stage_ == Stage::done) return;
  const bool ends_by_close = stage_ == Stage::streaming && !chunked_ && !left_;
  stage_ = Stage::done;
  drain_ = nullptr;
  closed_ = nullptr;
  connection_->break_off(ends_by_close);
}

void HttpExchange::complete() {
  stage_ = Stage::done;
  drain_ = nullptr;
  closed_ = nullptr;
  connection_->exchange_done(keep_alive_);
}

void HttpExchange::refuse(int status, std::string_view code, const std::string& detail) {
  if (stage_ == Stage::streaming) return connection_->break_off(!chunked_ && !left_);
  if (stage_ == Stage::done) return;
  keep_alive_ = false;
  Callback call = std::exchange(closed_, nullptr);
  send_problem(*this, status, code, detail);
  ended_early_ = !call;
  if (call) connection_->defer(std::move(call));
}

std::shared_ptr<ByteStream> HttpExchange::upgrade(const HttpHeaders& headers) {
  if (stage_ != Stage::waiting || http_1_0_ || !connection_->can_upgrade()) return nullptr;
  connection_->write(upgrade_head(headers));
  stage_ = Stage::done;
  drain_ = nullptr;
  closed_ = nullptr;
  return connection_->upgrade();
}

std::size_t HttpExchange::queued() const { return stage_ == Stage::done ? 0 : connection_->queued(); }

void HttpExchange::on_drain(std::size_t below, Callback callback) {
  if (stage_ == Stage::done) return;
  drain_below_ = below;
  drain_ = std::move(callback);
  connection_->mark();
}

void HttpExchange::on_closed(Callback callback) {
  if (stage_ != Stage::done) {
    closed_ = std::move(callback);
  } else if (std::exchange(ended_early_, false)) {
    connection_->defer(std::move(callback));
  }
}

void HttpExchange::drained() {
  if (const Callback call = std::exchange(drain_, nullptr)) call();
}

void HttpExchange::reader_gone() {
  if (stage_ == Stage::done) return;
  stage_ = Stage::done;
  drain_ = nullptr;
  if (Callback call = std::exchange(closed_, nullptr)) {
    connection_->defer(std::move(call));
  } else {
    ended_early_ = true;
  }
}

}  // namespace mayfly
