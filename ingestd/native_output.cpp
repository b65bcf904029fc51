#include "ingestd/native_output.h"

namespace mayfly::ingestd {
namespace {

constexpr std::string_view kPong = "+PONG\r\n";
constexpr std::size_t kSummaryBytes = 128;

}  // namespace

void NativeOutput::notice(Service service) {
  const std::string_view line = service_line(service);
  if (bytes_.empty()) {
    bytes_.append(line);
  } else {
    notice_ = service;
  }
}

void NativeOutput::pong() {
  if (pongs_ == 0 && room(kPong.size())) {
    bytes_.append(kPong);
  } else {
    ++pongs_;
  }
}

void NativeOutput::reply(std::string_view text) {
  if (pongs_ == 0 && room(text.size())) {
    bytes_.append(text);
  } else {
    ++replies_left_out_;
  }
}

void NativeOutput::error(std::string_view text) {
  if (pongs_ == 0 && room(text.size() + 3, kErrorLimit)) {
    bytes_.append("-").append(text).append("\r\n");
  } else {
    ++errors_left_out_;
  }
}

std::string_view NativeOutput::pending() {
  if (sent_ == bytes_.size()) {
    bytes_.clear();
    sent_ = 0;
    refill();
  }
  return std::string_view(bytes_).substr(sent_);
}

void NativeOutput::sent(std::size_t bytes) {
  sent_ += bytes;
  if (sent_ < bytes_.size()) return;
  bytes_.clear();
  sent_ = 0;
  if (bytes_.capacity() > 1024) bytes_.shrink_to_fit();
}

// What had no room comes once all before it is gone.
void NativeOutput::refill() {
  for (; pongs_ > 0 && room(kPong.size()); --pongs_) bytes_.append(kPong);
  if (errors_left_out_ + replies_left_out_ > 0 && room(kSummaryBytes)) {
    bytes_.append("-ERR output full: left out ").append(std::to_string(errors_left_out_));
    bytes_.append(" errors and ").append(std::to_string(replies_left_out_)).append(" replies\r\n");
    errors_left_out_ = 0;
    replies_left_out_ = 0;
  }
  if (notice_ && room(service_line(*notice_).size())) {
    bytes_.append(service_line(*notice_));
    notice_.reset();
  }
}

}  // namespace mayfly::ingestd
