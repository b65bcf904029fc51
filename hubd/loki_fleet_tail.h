// Live tails over all hosts that their reader may see, hosts that come back or come up among them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>

#include "common/form_fields.h"
#include "common/loki_answer.h"
#include "common/loki_request.h"
#include "common/loki_tail_output.h"
#include "common/loop_timer.h"
#include "hubd/fleet.h"
#include "hubd/loki_host_tail.h"

namespace mayfly::hubd {

/// One of them. Belongs to the loop's thread; `fleet` outlives it.
///
/// A host that is lost is asked again from its last line on once it is back, and told of in
/// dropped_entries, without a number: what it evicted meanwhile nobody knows.
class LokiFleetTail : public std::enable_shared_from_this<LokiFleetTail> {
 public:
  /// relayd sends an empty line every 15 s.
  static constexpr std::chrono::milliseconds kSilence{40'000};

  /// `on_gone` is called once, from the loop, when the reader is gone; not after end().
  LokiFleetTail(Fleet& fleet, ReaderPtr reader, loki::TailQuestion question,
                std::unique_ptr<loki::TailOutput> output, std::function<void()> on_gone);
  ~LokiFleetTail();
  LokiFleetTail(const LokiFleetTail&) = delete;
  LokiFleetTail& operator=(const LokiFleetTail&) = delete;

  void start();
  /// Idempotent. `reason`: for the reader.
  void end(std::string_view reason);

 private:
  struct Host {
    std::shared_ptr<LokiHostTail> tail;  // null: not asked at present
    std::uint64_t again_ms = 0;          // not before that loop time
    bool lost = false;                   // it was heard, and is to be told of
    std::uint64_t last_ns = 0;           // of its newest line; 0: none yet
  };

  void tick();
  void look_for_hosts();
  void ask(const std::string& server, const Scope& scope, Host& host);
  LokiHostTail::Callbacks callbacks_for(const std::string& server, const Scope& scope, bool keeps_label);
  void take_line(const std::string& server, const Scope& scope, bool keeps_label, std::string_view line);
  void tell_loss(const std::string& server);
  void host_ended(const std::string& server);
  bool is_open() const { return output_ != nullptr && !gone_; }

  Fleet& fleet_;
  ReaderPtr reader_;
  loki::TailQuestion question_;
  std::unique_ptr<loki::TailOutput> output_;
  std::function<void()> on_gone_;
  bool gone_ = false;
  std::uint64_t looked_ms_ = 0;
  std::map<std::string, Host> hosts_;
  LoopTimer timer_;
};

/// All that are open. Belongs to the loop's thread; ends them with itself.
class LokiFleetTails {
 public:
  static constexpr std::size_t kMaxTails = 64;  // each asks every host

  explicit LokiFleetTails(Fleet& fleet) : fleet_(fleet), open_(std::make_shared<Open>()) {}
  ~LokiFleetTails();
  LokiFleetTails(const LokiFleetTails&) = delete;
  LokiFleetTails& operator=(const LokiFleetTails&) = delete;

  /// Answers /loki/api/v1/tail.
  void open(const HttpRequest& request, const ResponseWriterPtr& response, const FormFields& fields,
            const ReaderPtr& reader);

 private:
  using Open = std::unordered_set<std::shared_ptr<LokiFleetTail>>;

  Fleet& fleet_;
  std::shared_ptr<Open> open_;
};

}  // namespace mayfly::hubd
