// The answer to one request of one connection. Internal to http_server.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http_answer_head.h"
#include "common/http_connection.h"
#include "common/http_message.h"

namespace mayfly {

class HttpExchange : public ResponseWriter {
 public:
  HttpExchange(std::shared_ptr<HttpConnection> connection, const ParsedRequest& parsed);
  ~HttpExchange() override;

  void send(int status, const HttpHeaders& headers, std::string_view body) override;
  void begin(int status, const HttpHeaders& headers) override;
  void write(std::string_view data) override;
  void end() override;
  void abort() override;
  std::size_t queued() const override;
  void on_drain(std::size_t below, Callback callback) override;
  void on_closed(Callback callback) override;
  bool closed() const override { return stage_ == Stage::done; }
  void set_open_ended() override { open_ended_ = true; }
  std::shared_ptr<ByteStream> upgrade(const HttpHeaders& headers) override;

  // For the connection:
  bool open_ended() const { return open_ended_; }
  bool wants_drain() const { return drain_ && queued() <= drain_below_; }
  void drained();
  void reader_gone();
  /// The request turned out to be broken: answers in the handler's place, or breaks an answer off
  /// that has begun. To the handler it is as if the reader was gone.
  void refuse(int status, std::string_view code, const std::string& detail);
  bool begun() const { return stage_ != Stage::waiting; }

 private:
  enum class Stage { waiting, streaming, done };

  void put_head(int status, const HttpHeaders& headers, AnswerFraming framing);
  void complete();

  std::shared_ptr<HttpConnection> connection_;
  bool head_only_;
  bool http_1_0_;
  bool keep_alive_;
  bool chunked_ = false;
  std::optional<std::uint64_t> left_;  // of an announced Content-Length
  bool open_ended_ = false;
  bool ended_early_ = false;  // done without end(): on_closed is due
  Stage stage_ = Stage::waiting;
  std::size_t drain_below_ = 0;
  Callback drain_;
  Callback closed_;
};

}  // namespace mayfly
