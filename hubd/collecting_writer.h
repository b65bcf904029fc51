// A reader that keeps the answer in memory, up to a bound.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "common/http_message.h"

namespace mayfly::hubd {

struct CollectedAnswer {
  int status = 0;  // 0: none yet
  HttpHeaders headers;
  std::string body;
  bool cut = false;
  bool complete = false;  // of what there was; false after a cut, too
};

/// Belongs to one loop thread.
class CollectingWriter : public ResponseWriter {
 public:
  /// `budget` is what may be kept besides, shared with others, and outlives this; it goes down.
  /// `finished` is called once, when there is no more to come, but not after cancel().
  CollectingWriter(std::size_t max_bytes, std::size_t& budget, std::function<void()> finished);

  /// The reader goes away.
  void cancel();
  CollectedAnswer& answer() { return answer_; }

  void send(int status, const HttpHeaders& headers, std::string_view body) override;
  void begin(int status, const HttpHeaders& headers) override;
  void write(std::string_view data) override;
  void end() override;
  void abort() override;
  std::size_t queued() const override { return 0; }
  void on_drain(std::size_t below, Callback callback) override;
  void on_closed(Callback callback) override;
  bool closed() const override { return closed_; }
  void set_open_ended() override {}

 private:
  void finish();

  std::size_t max_bytes_;
  std::size_t& budget_;
  std::function<void()> finished_;
  CollectedAnswer answer_;
  bool closed_ = false;
  Callback on_closed_;
};

}  // namespace mayfly::hubd
