// Keeps the directories and quotas of this host as the hub has them.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>

#include "common/http_client.h"
#include "common/loop_timer.h"
#include "shm/control.h"
#include "shm/result.h"

namespace mayfly::relayd {

struct QuotaSource {
  std::string url;      // the whole address
  std::string api_key;  // sent over https, or to loopback; elsewhere nothing is fetched
  std::string ca_file;  // empty: the system's authorities
};

struct QuotaPace {
  std::chrono::milliseconds first_retry{100};  // after a failure; then twice as long each time
  std::chrono::milliseconds longest_retry{30'000};
  std::chrono::milliseconds longest_loopback_retry{2'000};  // a hub on this host is asked more often
  std::chrono::milliseconds poll{30'000};                   // of a server that cannot wait
  std::chrono::seconds wait{30};                            // asked of a server that can
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds answer_timeout{10'000};  // beyond `wait`
};

/// Belongs to the loop's thread. Only a complete, valid 200 changes anything; whatever else comes
/// is said in the log once, and tried again.
class QuotaSync {
 public:
  /// Makes rules the ones in force (ControlWriter::publish).
  using Publish = std::function<shm::Status(const shm::Rules&)>;

  /// `in_force`: what is published already; the same again is not published anew.
  QuotaSync(uv_loop_t* loop, QuotaSource source, QuotaPace pace, std::optional<shm::Rules> in_force,
            Publish publish);

  /// Asks at once. Errors (invalid): the key may not be sent to that address.
  shm::Status start();
  /// Complete answers so far: 200 with a document, or 304.
  std::uint64_t answers() const { return answers_; }
  /// Why the last attempt failed; empty: it did not.
  const std::string& problem() const { return problem_; }

 private:
  void ask();
  void answered(HttpClientResponse response);
  bool take_document(const HttpClientResponse& response);
  void succeeded(bool news);
  void failed(const std::string& problem);
  void ask_after(std::chrono::milliseconds delay);

  uv_loop_t* loop_;
  QuotaSource source_;
  QuotaPace pace_;
  std::optional<shm::Rules> in_force_;
  Publish publish_;
  HttpClient client_;
  LoopTimer timer_;
  std::minstd_rand random_;
  std::string etag_;            // of the document in force
  std::uint64_t asked_at_ = 0;  // loop time, ms
  bool asked_to_wait_ = false;
  std::uint32_t failures_ = 0;  // in a row
  std::uint32_t hasty_ = 0;     // answers without news, in a row, that came before their time
  std::uint64_t answers_ = 0;
  std::string problem_;
};

}  // namespace mayfly::relayd
