// The server's end of one TLS connection, bytes in and bytes out. No I/O.
//
// Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/tls_context.h"

struct ssl_st;

namespace mayfly {

class TlsSession {
 public:
  enum class State {
    open,
    ended,   // the peer has said that no more comes
    failed,  // broken, or no TLS at all; take_output() may hold an alert
  };

  /// Null: out of memory.
  static std::unique_ptr<TlsSession> make(std::shared_ptr<TlsContext> context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// Takes what came from the peer, all of it; what it meant is appended to `plain`.
  State receive(std::string_view bytes, std::string& plain);
  /// Before established() it does nothing.
  void send(std::string_view plain);
  /// Says that no more comes (close_notify). Idempotent.
  void finish();
  bool established() const;
  /// True until the first byte came.
  bool untouched() const { return untouched_; }

  bool has_output() const { return !output_.empty(); }
  /// For the peer.
  std::string take_output();

 private:
  friend struct TlsSessionBio;
  explicit TlsSession(std::shared_ptr<TlsContext> context) : context_(std::move(context)) {}
  bool read_plain(std::string& plain, State& state);

  std::shared_ptr<TlsContext> context_;
  ssl_st* ssl_ = nullptr;
  std::string_view input_;  // within receive()
  std::string output_;
  bool untouched_ = true;
  bool finished_ = false;
  bool failed_ = false;
};

}  // namespace mayfly
