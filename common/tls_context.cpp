#include "common/tls_context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

namespace mayfly {
namespace {

constexpr std::size_t kMaxPemBytes = 1 << 20;
/// Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else.
constexpr char kOldSuites[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/// What OpenSSL has to say about the last failure.
std::string tls_reason() {
  char text[256] = "no reason given";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof(text));
  ERR_clear_error();
  return text;
}

shm::Error open_error(const std::string& path, int error_number) {
  const shm::Errc code = error_number == ENOENT ? shm::Errc::not_found : shm::Errc::io;
  return shm::os_error(code, "opening " + path, error_number);
}

/// A whole file. `secret`: it must not be open to others, and its content is wiped with the last copy.
shm::Result<std::string> read_pem(const std::string& path, bool secret) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return open_error(path, errno);
  struct stat status {};
  std::string text;
  shm::Status fault;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    fault = shm::Error{shm::Errc::invalid, path + " is not a file"};
  } else if (secret && (status.st_mode & S_IRWXO) != 0) {
    fault = shm::Error{shm::Errc::untrusted, path + " is open to everybody: chmod o= it"};
  } else if (static_cast<std::size_t>(status.st_size) > kMaxPemBytes) {
    fault = shm::Error{shm::Errc::invalid, path + " is too large for a certificate or key"};
  } else {
    text.resize(static_cast<std::size_t>(status.st_size));
    const ssize_t size = ::read(fd, text.data(), text.size());
    if (size < 0) fault = shm::os_error(shm::Errc::io, "reading " + path, errno);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  }
  close(fd);
  if (!fault.ok()) return fault.error();
  return text;
}

/// Nobody is asked for a passphrase: a daemon has no terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

BIO* bio_over(const std::string& text) { return BIO_new_mem_buf(text.data(), static_cast<int>(text.size())); }

/// The first certificate is the server's own, the others its chain.
bool use_certificates(SSL_CTX* context, const std::string& pem) {
  BIO* bio = bio_over(pem);
  if (bio == nullptr) return false;
  X509* own = PEM_read_bio_X509_AUX(bio, nullptr, no_passphrase, nullptr);
  bool good = own != nullptr && SSL_CTX_use_certificate(context, own) == 1;
  X509_free(own);
  while (good) {
    X509* next = PEM_read_bio_X509(bio, nullptr, no_passphrase, nullptr);
    if (next == nullptr) break;
    good = SSL_CTX_add0_chain_cert(context, next) == 1;
    if (!good) X509_free(next);
  }
  // The end of the file shows as an error that is none.
  if (good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) ERR_clear_error();
  good = good && ERR_peek_error() == 0;
  BIO_free(bio);
  return good;
}

bool use_key(SSL_CTX* context, const std::string& pem) {
  BIO* bio = bio_over(pem);
  if (bio == nullptr) return false;
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, no_passphrase, nullptr);
  const bool good = key != nullptr && SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  BIO_free(bio);
  return good;
}

/// HTTP/1.1 or nothing: a peer that insists on something else is told so.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int size, void*) {
  constexpr std::string_view kOurs = "http/1.1";
  for (unsigned int at = 0; at < size; at += 1U + offered[at]) {
    const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
    if (name != kOurs) continue;
    *out = offered + at + 1;
    *out_size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool configure(SSL_CTX* context) {
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps none
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, kOldSuites) == 1;
}

}  // namespace

shm::Result<std::shared_ptr<TlsContext>> TlsContext::load(const std::string& certificate,
                                                          const std::string& key) {
  const auto chain = read_pem(certificate, false);
  if (!chain.ok()) return chain.error().in("TLS certificate");
  auto secret = read_pem(key, true);
  if (!secret.ok()) return secret.error().in("TLS key");
  ERR_clear_error();
  SSL_CTX* native = SSL_CTX_new(TLS_server_method());
  if (native == nullptr) return shm::Error{shm::Errc::io, "TLS: " + tls_reason()};
  std::shared_ptr<TlsContext> context(new TlsContext(native));
  std::string fault;
  if (!configure(native)) {
    fault = "TLS: ";
  } else if (!use_certificates(native, chain.value())) {
    fault = certificate + " holds no usable certificate: ";
  } else if (!use_key(native, secret.value())) {
    fault = key + " holds no key without a passphrase, or not that of " + certificate + ": ";
  } else if (SSL_CTX_check_private_key(native) != 1) {
    fault = key + " is not the key of " + certificate + ": ";
  }
  OPENSSL_cleanse(secret.value().data(), secret.value().size());
  if (!fault.empty()) return shm::Error{shm::Errc::invalid, fault + tls_reason()};
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

}  // namespace mayfly
