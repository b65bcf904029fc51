// A server's certificate and key, for many connections. OpenSSL 3, TLS 1.2 and later.
//
// Thread safety: belongs to the thread of the loop that uses it.
#pragma once

#include <memory>
#include <string>

#include "shm/result.h"

struct ssl_ctx_st;

namespace mayfly {

class TlsContext {
 public:
  /// PEM files: the certificate with its chain, and its key (which must not be readable by others).
  /// Errors: invalid (not a certificate, not its key), untrusted (the key's mode), not_found, io.
  static shm::Result<std::shared_ptr<TlsContext>> load(const std::string& certificate,
                                                       const std::string& key);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* native() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

}  // namespace mayfly
