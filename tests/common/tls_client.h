// A blocking TLS client for tests that trusts one certificate.
#pragma once

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly::test {

class TlsClient {
 public:
  TlsClient(std::uint16_t port, const std::string& trusted)
      : context(SSL_CTX_new(TLS_client_method())), fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    SSL_CTX_load_verify_locations(context, trusted.c_str(), nullptr);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    const timeval deadline{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~TlsClient() {
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  /// Set `context` up before. True: the handshake is done, the certificate is good.
  bool shake_hands() {
    ssl = SSL_new(context);
    SSL_set_fd(ssl, fd_);
    SSL_set_tlsext_host_name(ssl, "localhost");
    SSL_set1_host(ssl, "localhost");
    return connected_ && SSL_connect(ssl) == 1;
  }
  bool send(std::string_view bytes) {
    return bytes.empty() || SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  /// Reads until `end` is there, or the other side's end.
  std::string read_until(std::string_view end) {
    std::string received;
    char buffer[16384];
    while (received.find(end) == std::string::npos) {
      const int size = SSL_read(ssl, buffer, sizeof buffer);
      if (size <= 0) {
        orderly_ = SSL_get_error(ssl, size) == SSL_ERROR_ZERO_RETURN;
        break;
      }
      received.append(buffer, static_cast<std::size_t>(size));
    }
    return received;
  }
  std::string read_all() { return read_until(std::string("\0no such thing\0", 15)); }
  /// The last read ended with a close_notify.
  bool orderly() const { return orderly_; }

  SSL_CTX* context;
  SSL* ssl = nullptr;

 private:
  int fd_;
  bool connected_ = false;
  bool orderly_ = false;
};

}  // namespace mayfly::test
