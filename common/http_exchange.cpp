#include "common/http_exchange.h"

#include <ctime>
#include <utility>

namespace mayfly {
namespace {

/// "Sat, 21 Nov 2026 10:00:00 GMT", made once a second.
const std::string& http_date() {
  thread_local std::time_t made_at = -1;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char buffer[64];
    const std::size_t size = std::strftime(buffer, sizeof(buffer), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    text.assign(buffer, size);
    made_at = now;
  }
  return text;
}

bool has_control(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return true;
  }
  return false;
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

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

void HttpExchange::put_head(int status, const HttpHeaders& headers, std::string_view framing) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head += http_reason(status);
  head += "\r\nDate: " + http_date() + "\r\n";
  for (const auto& [name, value] : headers) {
    if (has_control(name) || has_control(value)) continue;  // a header must not end early
    head += name + ": " + value + "\r\n";
  }
  head += framing;
  if (!keep_alive_) head += "Connection: close\r\n";
  if (keep_alive_ && http_1_0_) head += "Connection: keep-alive\r\n";
  head += "\r\n";
  connection_->write(head);
}

void HttpExchange::send(int status, const HttpHeaders& headers, std::string_view body) {
  if (stage_ != Stage::waiting) return;
  std::string framing;
  if (!has_no_body(status)) framing = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  put_head(status, headers, framing);
  if (!head_only_ && !has_no_body(status)) connection_->write(body);
  complete(keep_alive_);
}

void HttpExchange::begin(int status, const HttpHeaders& headers) {
  if (stage_ != Stage::waiting) return;
  stage_ = Stage::streaming;
  chunked_ = !http_1_0_;
  if (!chunked_ && !head_only_) keep_alive_ = false;  // the end of the connection is the end of the body
  put_head(status, headers, chunked_ ? "Transfer-Encoding: chunked\r\n" : "");
  if (!head_only_) return;
  ended_early_ = true;
  complete(keep_alive_);
}

void HttpExchange::write(std::string_view data) {
  if (stage_ != Stage::streaming || data.empty()) return;
  if (chunked_) connection_->write(hex(data.size()) + "\r\n");
  connection_->write(data);
  if (chunked_) connection_->write("\r\n");
}

void HttpExchange::end() {
  if (stage_ != Stage::streaming) return;
  if (chunked_) connection_->write("0\r\n\r\n");
  complete(keep_alive_);
}

void HttpExchange::abort() {
  if (stage_ == Stage::done) return;
  stage_ = Stage::done;
  drain_ = nullptr;
  closed_ = nullptr;
  connection_->break_off();
}

void HttpExchange::complete(bool keep_alive) {
  stage_ = Stage::done;
  drain_ = nullptr;
  closed_ = nullptr;
  connection_->exchange_done(keep_alive);
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
