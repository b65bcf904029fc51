// A relay that is nothing but sockets: sees the tunnel's bytes, and answers what it is told to.
#pragma once

#include <strings.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/tunnel_wire.h"
#include "tests/common/raw_peer.h"

namespace mayfly::relayd {

class RawHub {
 public:
  /// One request: its head, and the connection, on which the body follows and the answer is due.
  struct Incoming {
    std::string head;  // lines ended by CRLF, without the empty one
    test::RawPeer* peer = nullptr;

    std::string first_line() const { return head.substr(0, head.find("\r\n")); }
    /// The value of a header, whatever its case; "" where it is absent.
    std::string header(const std::string& name) const {
      for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
        if (head.size() < at + 2 + name.size() + 2) continue;
        if (strncasecmp(head.c_str() + at + 2, (name + ": ").c_str(), name.size() + 2) != 0) continue;
        const std::size_t begin = at + 2 + name.size() + 2;
        return head.substr(begin, head.find("\r\n", begin) - begin);
      }
      return {};
    }
    WrappedHead magic() const {
      auto decoded = head_from_header(header("x-ptth-2ljyxwc4"));
      EXPECT_TRUE(decoded.ok()) << head;
      return decoded.ok() ? decoded.value() : WrappedHead{};
    }
    void answer(const std::string& status, const std::string& body) const {
      peer->send("HTTP/1.1 " + status + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" +
                 body);
    }
    void answer_204() const { peer->send("HTTP/1.1 204 No Content\r\ncontent-type: text/plain\r\n\r\n"); }
    void answer_list(const std::vector<WrappedRequest>& requests) const {
      answer("200 OK", encode_requests(requests));
    }
    /// The body of a POST with a length.
    std::string body() const {
      const std::size_t length = std::stoul(header("content-length"));
      while (peer->received.size() < length && peer->read_more()) {
      }
      const std::string text = peer->received.substr(0, length);
      peer->received.erase(0, length);
      return text;
    }
  };

  std::string url() const { return listener_->url() + "/7ZSFUKGV"; }
  Incoming next_poll() { return next("GET "); }
  Incoming next_post() { return next("POST "); }
  /// The polls that have come and were not taken by next_poll().
  std::size_t waiting_polls() {
    std::size_t count = 0;
    for (const auto& incoming : incoming_) count += incoming.head.rfind("GET ", 0) == 0 ? 1 : 0;
    return count;
  }
  /// Closes everything; a new hub may come up at the same port.
  void stop() {
    port_ = listener_->port();
    incoming_.clear();
    peers_.clear();
    listener_.reset();
  }
  void start_again() { listener_.emplace(port_); }

 private:
  Incoming next(const std::string& method) {
    for (;;) {
      for (auto it = incoming_.begin(); it != incoming_.end(); ++it) {
        if (it->head.rfind(method, 0) != 0) continue;
        Incoming found = *it;
        incoming_.erase(it);
        return found;
      }
      if (!wait_for_bytes()) {
        ADD_FAILURE() << "no " << method << "in time";
        return {};
      }
    }
  }
  bool wait_for_bytes() {
    std::vector<pollfd> pollers{{listener_->fd(), POLLIN, 0}};
    for (const auto& peer : peers_) {
      // What is busy with a body is its reader's business.
      pollers.push_back({peer->ended() ? -1 : peer->fd(), POLLIN, 0});
    }
    if (poll(pollers.data(), pollers.size(), test::RawPeer::kDeadlineMs) <= 0) return false;
    for (std::size_t i = 1; i < pollers.size(); ++i) {
      if (pollers[i].revents == 0) continue;
      peers_[i - 1]->read_more();
      take_heads(*peers_[i - 1]);
    }
    if (pollers[0].revents != 0) peers_.push_back(listener_->accept_one());
    return true;
  }
  void take_heads(test::RawPeer& peer) {
    const bool is_head = peer.received.rfind("GET ", 0) == 0 || peer.received.rfind("POST ", 0) == 0;
    const std::size_t end = peer.received.find("\r\n\r\n");
    if (!is_head || end == std::string::npos) return;
    incoming_.push_back({peer.received.substr(0, end + 2), &peer});
    peer.received.erase(0, end + 4);
  }

  std::optional<test::RawListener> listener_{std::in_place};
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<test::RawPeer>> peers_;
  std::deque<Incoming> incoming_;
};

}  // namespace mayfly::relayd
