// A connection that has left HTTP, as its handler holds it. Internal to http_server.cpp.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "common/http_message.h"

namespace mayfly {

class HttpConnection;

class HttpByteStream : public ByteStream {
 public:
  explicit HttpByteStream(std::shared_ptr<HttpConnection> connection);
  ~HttpByteStream() override;
  HttpByteStream(const HttpByteStream&) = delete;
  HttpByteStream& operator=(const HttpByteStream&) = delete;

  void start(OnData on_data, Callback on_closed) override;
  void pause(bool paused) override;
  void write(std::string_view data) override;
  void on_silence(Callback callback) override;
  std::size_t queued() const override;
  void close() override;

  // For the connection:
  bool flowing() const { return on_data_ && !paused_ && !closed_; }
  /// Calls back: not for use from within a handler's call.
  void hand_over(std::string_view data);
  /// As hand_over().
  void peer_silent();
  /// As hand_over(). Nothing comes after it.
  void peer_gone();

 private:
  std::shared_ptr<HttpConnection> connection_;
  std::shared_ptr<const OnData> on_data_;  // shared: a callback may end the stream
  Callback on_closed_;
  std::shared_ptr<const Callback> on_silence_;
  bool paused_ = false;
  bool closed_ = false;
};

}  // namespace mayfly
