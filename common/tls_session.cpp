#include "common/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <utility>

namespace mayfly {

/// OpenSSL reads from a session's input and writes to its output by this. A memory BIO would keep
/// its largest size for as long as the connection lives.
struct TlsSessionBio {
  static TlsSession* session(BIO* bio) { return static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    std::string_view& input = session(bio)->input_;
    if (input.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t count = std::min(input.size(), static_cast<std::size_t>(std::max(size, 0)));
    std::memcpy(out, input.data(), count);
    input.remove_prefix(count);
    return static_cast<int>(count);
  }
  static int write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    if (size > 0) session(bio)->output_.append(data, static_cast<std::size_t>(size));
    return size;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const kMethod = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session");
      if (made == nullptr) return made;
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return kMethod;
  }
};

std::unique_ptr<TlsSession> TlsSession::make(std::shared_ptr<TlsContext> context) {
  std::unique_ptr<TlsSession> session(new TlsSession(std::move(context)));
  session->ssl_ = SSL_new(session->context_->native());
  const BIO_METHOD* method = TlsSessionBio::method();
  BIO* bio = method != nullptr ? BIO_new(method) : nullptr;
  if (session->ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return nullptr;
  }
  BIO_set_data(bio, session.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(session->ssl_, bio, bio);  // it owns it now
  SSL_set_accept_state(session->ssl_);
  return session;
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

bool TlsSession::established() const { return SSL_is_init_finished(ssl_) != 0; }

std::string TlsSession::take_output() { return std::exchange(output_, {}); }

bool TlsSession::read_plain(std::string& plain, State& state) {
  std::array<char, SSL3_RT_MAX_PLAIN_LENGTH> record;
  const int size = SSL_read(ssl_, record.data(), static_cast<int>(record.size()));
  if (size > 0) {
    plain.append(record.data(), static_cast<std::size_t>(size));
    return true;
  }
  const int error = SSL_get_error(ssl_, size);
  if (error == SSL_ERROR_WANT_READ) return false;
  state = error == SSL_ERROR_ZERO_RETURN ? State::ended : State::failed;
  failed_ = state == State::failed;
  return false;
}

TlsSession::State TlsSession::receive(std::string_view bytes, std::string& plain) {
  untouched_ = false;
  if (failed_) return State::failed;
  input_ = bytes;
  State state = State::open;
  ERR_clear_error();
  while (read_plain(plain, state)) {
  }
  ERR_clear_error();
  input_ = {};
  return state;
}

void TlsSession::send(std::string_view plain) {
  if (failed_ || finished_ || !established()) return;
  ERR_clear_error();
  while (!plain.empty()) {
    const auto size = static_cast<int>(std::min(plain.size(), static_cast<std::size_t>(INT_MAX)));
    const int sent = SSL_write(ssl_, plain.data(), size);
    if (sent <= 0) {
      failed_ = true;
      ERR_clear_error();
      return;
    }
    plain.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void TlsSession::finish() {
  if (std::exchange(finished_, true) || failed_ || !established()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

}  // namespace mayfly
