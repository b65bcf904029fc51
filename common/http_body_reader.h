// A streamed body, between the connection that it comes from and the handler that takes it.
// Internal to http_server.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "common/http_message.h"

namespace mayfly {

class HttpConnection;

class HttpBodyReader : public BodyReader {
 public:
  explicit HttpBodyReader(std::shared_ptr<HttpConnection> connection);

  void read(OnData on_data, OnEnd on_end) override;
  void pause(bool paused) override;

  // For the connection, which holds it until finish():
  /// Started, not paused, not at its end: the next piece is welcome.
  bool flowing() const { return stage_ == Stage::started && !paused_; }
  void hand_over(std::string_view piece) { on_data_(piece); }
  /// The end. Calls back: not for use from within a handler's call.
  void finish(bool complete);
  void touch(std::uint64_t now_ms) { waiting_since_ms_ = now_ms; }
  /// Of the loop's clock: the last byte, or the last time that the taker began to wait.
  std::uint64_t waiting_since_ms() const { return waiting_since_ms_; }

 private:
  enum class Stage { waiting, started, ended };

  std::shared_ptr<HttpConnection> connection_;
  OnData on_data_;
  OnEnd on_end_;
  Stage stage_ = Stage::waiting;
  bool paused_ = false;
  bool complete_ = false;
  std::uint64_t waiting_since_ms_ = 0;
};

}  // namespace mayfly
