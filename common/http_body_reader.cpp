#include "common/http_body_reader.h"

#include <utility>

#include "common/http_connection.h"

namespace mayfly {

HttpBodyReader::HttpBodyReader(std::shared_ptr<HttpConnection> connection)
    : connection_(std::move(connection)) {}

void HttpBodyReader::read(OnData on_data, OnEnd on_end) {
  if (on_end_) return;  // a second call
  if (stage_ == Stage::ended) {
    connection_->defer([call = std::move(on_end), complete = complete_] { call(complete); });
    return;
  }
  on_data_ = std::move(on_data);
  on_end_ = std::move(on_end);
  stage_ = Stage::started;
  touch(connection_->now_ms());
  connection_->body_wanted();
}

void HttpBodyReader::pause(bool paused) {
  if (paused_ == paused) return;
  paused_ = paused;
  touch(connection_->now_ms());
  connection_->mark();
}

void HttpBodyReader::finish(bool complete) {
  if (stage_ == Stage::ended) return;
  stage_ = Stage::ended;
  complete_ = complete;
  on_data_ = nullptr;
  if (const OnEnd call = std::exchange(on_end_, nullptr)) call(complete);
}

}  // namespace mayfly
