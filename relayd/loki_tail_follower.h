// A tail's part in one directory.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "relayd/follower.h"
#include "relayd/loki_keys.h"
#include "relayd/loki_tail.h"

namespace mayfly::relayd {

class LokiTailFollower : public Follower {
 public:
  LokiTailFollower(std::weak_ptr<LokiTail> tail, const logql::LogQuery& query, shm::Kind kind,
                   const std::string& directory, const StreamStart& start);

  /// The tail follows this directory no more.
  void leave();

  void flush() override;
  void keep_alive(std::uint64_t) override {}
  bool full() const override;
  void on_ready(std::function<void()> callback) override;
  void on_gone(std::function<void()> callback) override { gone_ = std::move(callback); }

 protected:
  void take(const SharedRecord& shared, std::optional<std::uint32_t> next_ordinal) override;
  void take_gap(std::optional<std::uint64_t> missed, std::string_view reason, std::uint64_t next_seq,
                std::optional<std::uint32_t> next_ordinal) override;

 private:
  std::weak_ptr<LokiTail> tail_;
  logql::LogQuery query_;
  shm::Kind kind_;
  std::string directory_;
  LokiKeys keys_;
  std::function<void()> gone_;
};

}  // namespace mayfly::relayd
