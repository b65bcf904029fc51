// What a POST has still to send. Internal to http_client*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http_client.h"

namespace mayfly {

class HttpClientCore;

/// Bytes on their way from a writer to libcurl. The transfer owns it; the writer has an HttpUpload.
class UploadQueue {
 public:
  explicit UploadQueue(std::optional<std::uint64_t> length) : length_(length) {}

  /// Takes no more than the announced length. False: nothing was taken.
  bool append(std::string_view data);
  void end() { ended_ = true; }

  std::size_t size() const { return bytes_.size() - begin_; }
  /// All of an announced length has been written.
  bool filled() const { return length_ && written_ == *length_; }
  bool ended() const { return ended_ || filled(); }
  std::optional<std::uint64_t> length() const { return length_; }
  /// Everything, for a body that goes to libcurl in one piece.
  std::string take_all();

  /// libcurl's read callback.
  std::size_t read(char* buffer, std::size_t room);
  /// libcurl has got the last byte.
  bool all_read() const { return all_read_; }
  /// libcurl waits for more; set by read(), taken back by whoever wakes it.
  bool paused = false;

  std::size_t drain_below = 0;
  HttpUpload::Callback drain;
  bool wants_drain() const { return drain && size() <= drain_below; }

 private:
  std::optional<std::uint64_t> length_;
  std::uint64_t written_ = 0;
  std::string bytes_;
  std::size_t begin_ = 0;  // what is before it has been read
  bool ended_ = false;
  bool all_read_ = false;
};

/// The writer's side.
class QueuedUpload : public HttpUpload {
 public:
  QueuedUpload(std::weak_ptr<HttpClientCore> core, HttpClient::RequestId id)
      : core_(std::move(core)), id_(id) {}
  ~QueuedUpload() override;
  QueuedUpload(const QueuedUpload&) = delete;
  QueuedUpload& operator=(const QueuedUpload&) = delete;

  void write(std::string_view data) override;
  void end() override;
  void abort() override;
  std::size_t queued() const override;
  void on_drain(std::size_t below, Callback callback) override;

 private:
  std::weak_ptr<HttpClientCore> core_;
  HttpClient::RequestId id_;
  bool ended_ = false;
};

}  // namespace mayfly
