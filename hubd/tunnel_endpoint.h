// What servers send: polls for work, and answers (docs/tunnel.md). Who may, and what each gets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/blake3.h"
#include "common/http_message.h"
#include "hubd/failed_keys.h"
#include "hubd/host_link.h"
#include "hubd/link_shared.h"
#include "hubd/strangers.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread.
class TunnelEndpoint {
 public:
  explicit TunnelEndpoint(LinkShared& shared) : shared_(shared) {}

  /// Answers every request below kTunnelRoot; texts and states are the original's.
  void handle(HttpRequest request, ResponseWriterPtr response);
  const Strangers& strangers() const { return strangers_; }

 private:
  void take_poll(const HttpRequest& request, std::string_view server, ResponseWriterPtr response);
  void refuse_poll(const HttpRequest& request, std::string_view server, const std::string& key, bool known,
                   ResponseWriter& response);
  void take_answer(HttpRequest request, std::string_view id, ResponseWriterPtr response);
  void text(ResponseWriter& response, int status, std::string_view text, HttpHeaders more = {});

  LinkShared& shared_;
  FailedKeys failed_keys_;
  Strangers strangers_;
};

}  // namespace mayfly::hubd
