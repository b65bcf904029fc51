// The answer to one request that came through the tunnel: a POST whose header has status and
// headers, and whose body is the answer's (docs/tunnel.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http_client.h"
#include "common/http_message.h"
#include "common/tunnel_wire.h"

namespace mayfly::relayd {

/// What an answer needs of its tunnel.
class TunnelPosts {
 public:
  virtual ~TunnelPosts() = default;
  /// Starts the POST for request `id`; `length` nothing: chunked.
  virtual std::shared_ptr<HttpUpload> post(const std::string& id, const WrappedHead& head,
                                           std::optional<std::uint64_t> length, HttpClient::Done done) = 0;
  /// Nothing of request `id` is under way any more.
  virtual void finished(const std::string& id) = 0;
  /// Calls back from the loop.
  virtual void defer(std::function<void()> call) = 0;
};

/// Belongs to the loop's thread. When the tunnel is gone, every call does nothing.
class TunnelResponse : public ResponseWriter, public std::enable_shared_from_this<TunnelResponse> {
 public:
  TunnelResponse(std::weak_ptr<TunnelPosts> posts, std::string id, bool head_only)
      : posts_(std::move(posts)), id_(std::move(id)), head_only_(head_only) {}
  ~TunnelResponse() override;
  TunnelResponse(const TunnelResponse&) = delete;
  TunnelResponse& operator=(const TunnelResponse&) = delete;

  void send(int status, const HttpHeaders& headers, std::string_view body) override;
  void begin(int status, const HttpHeaders& headers) override;
  void write(std::string_view data) override;
  void end() override;
  void abort() override;
  std::size_t queued() const override;
  void on_drain(std::size_t below, Callback callback) override;
  void on_closed(Callback callback) override;
  bool closed() const override { return stage_ == Stage::done; }
  /// An upload has no time limit anyway.
  void set_open_ended() override {}

 private:
  enum class Stage { waiting, streaming, done };

  /// Starts the POST. `length`: the Content-Length for the reader; `sent`: the POST's own, nothing: chunked.
  std::shared_ptr<HttpUpload> start(int status, const HttpHeaders& headers,
                                    std::optional<std::uint64_t> length, std::optional<std::uint64_t> sent);
  void post_ended();

  std::weak_ptr<TunnelPosts> posts_;
  std::string id_;
  bool head_only_;
  std::optional<std::uint64_t> left_;  // of an announced length
  bool ended_early_ = false;           // done without end(): on_closed is due
  Stage stage_ = Stage::waiting;
  std::shared_ptr<HttpUpload> upload_;  // while streaming
  Callback closed_;
};

}  // namespace mayfly::relayd
