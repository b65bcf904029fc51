// One host's part in a tail over all hosts: its endless answer, line by line.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/http_message.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread. HostLinks writes to it; whoever opened it holds it, too.
class LokiHostTail : public ResponseWriter {
 public:
  static constexpr std::size_t kMaxLineBytes = 4 << 20;  // longer ones are passed over, and counted

  struct Callbacks {
    std::function<void(std::string_view line)> line;
    std::function<void()> too_long;       // a line was passed over
    std::function<void()> ended;          // once; not after cancel()
    std::function<std::size_t()> queued;  // what the reader has not taken yet
  };

  LokiHostTail(Callbacks callbacks, std::uint64_t now_ms)
      : callbacks_(std::move(callbacks)), alive_ms_(now_ms) {}

  /// The reader goes away: HostLinks lets go of it.
  void cancel();
  /// To be called now and then: lets the host go on once the reader has taken enough. `now_ms`: of
  /// the loop.
  void tick(std::uint64_t now_ms);
  /// When the host last sent anything.
  std::uint64_t alive_ms() const { return alive_ms_; }
  /// True while the host waits for the reader.
  bool is_held_back() const { return drain_ != nullptr; }
  bool has_begun() const { return status_ == 200; }

  void send(int status, const HttpHeaders& headers, std::string_view body) override;
  void begin(int status, const HttpHeaders& headers) override;
  void write(std::string_view data) override;
  void end() override { finish(); }
  void abort() override { finish(); }
  std::size_t queued() const override { return closed_ ? 0 : callbacks_.queued(); }
  void on_drain(std::size_t below, Callback callback) override;
  void on_closed(Callback callback) override;
  bool closed() const override { return closed_; }
  void set_open_ended() override {}

 private:
  void finish();

  Callbacks callbacks_;
  std::uint64_t alive_ms_;
  bool sent_ = false;  // something since the last tick
  int status_ = 0;
  bool closed_ = false;
  bool skipping_ = false;
  std::string rest_;  // of a line that is not complete
  std::size_t drain_below_ = 0;
  Callback drain_;
  Callback on_closed_;
};

}  // namespace mayfly::hubd
