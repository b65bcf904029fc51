// What a connection costs whose request is parked (a long poll): memory of the process, memory of
// the kernel's sockets, CPU of a server that has nothing but such connections.
// MAYFLY_BENCH_CONNECTIONS (default 10000; also bounded by the limit on open files) connections,
// once after their first request and once after each has been answered and asked again; in the
// clear, and over TLS with a tenth of them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/scratch.h"
#include "common/daemon.h"
#include "common/http_server.h"
#include "common/tls_context.h"

namespace {

using mayfly::HttpRequest;
using mayfly::HttpServer;
using mayfly::HttpServerOptions;
using mayfly::ResponseWriterPtr;
using mayfly::TlsContext;
using mayfly::bench::give_up;
using mayfly::bench::Scratch;

constexpr std::size_t kReserveFiles = 64;
constexpr int kIdleSeconds = 5;
constexpr char kPoll[] =
    "GET /7ZSFUKGV/http_listen/server-name HTTP/1.1\r\naccept: */*\r\nx-apikey: "
    "QWxwaGFCcmF2b0NoYXJsaWVEZWx0YUVjaG9Gb3h0cm90R29sZkhvdGVsSW5kaWFKdWxpZXR0S2lsb0xpbWE=\r\n"
    "host: 127.0.0.1:4000\r\n\r\n";

/// The server: parks what asks for a listen, answers all of them at "/flush".
[[noreturn]] void run_server(int announce, std::shared_ptr<TlsContext> tls) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  uv_loop_t loop;
  uv_loop_init(&loop);
  std::vector<ResponseWriterPtr> parked;
  HttpServerOptions options;
  options.max_connections = 100'000;
  options.tls = std::move(tls);
  HttpServer server(&loop, options, [&](const HttpRequest& request, ResponseWriterPtr response) {
    if (request.path == "/count") return response->send(200, {}, std::to_string(parked.size()));
    if (request.path != "/flush") return parked.push_back(std::move(response));
    for (const auto& waiting : parked) waiting->send(200, {}, std::string(200, 'x'));
    parked.clear();
    response->send(200, {}, "");
  });
  const std::uint16_t port = server.listen_tcp("127.0.0.1", 0).value();
  if (write(announce, &port, sizeof(port)) != sizeof(port)) _exit(1);
  uv_run(&loop, UV_RUN_DEFAULT);
  _exit(0);
}

/// A number out of a file of "name: number" lines.
std::uint64_t field_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name, 0) == 0) return std::strtoull(line.c_str() + name.size(), nullptr, 10);
  }
  return 0;
}

std::uint64_t pss_bytes(pid_t pid) {
  return field_of("/proc/" + std::to_string(pid) + "/smaps_rollup", "Pss:") * 1024;
}

/// Of all sockets of TCP here, both ends.
std::uint64_t kernel_bytes() {
  std::ifstream file("/proc/net/sockstat");
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find(" mem ");
    if (line.rfind("TCP:", 0) == 0 && at != std::string::npos) {
      return std::strtoull(line.c_str() + at + 5, nullptr, 10) * static_cast<std::uint64_t>(getpagesize());
    }
  }
  return 0;
}

/// CPU time so far, in milliseconds.
double cpu_ms(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string word;
  std::uint64_t ticks = 0;
  for (int i = 1; i <= 15 && file >> word; ++i) {
    if (i >= 14) ticks += std::strtoull(word.c_str(), nullptr, 10);
  }
  return static_cast<double>(ticks) * 1000.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

class Client {
 public:
  Client(std::uint16_t port, SSL_CTX* tls) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) give_up("connecting");
    if (tls == nullptr) return;
    ssl_ = SSL_new(tls);
    SSL_set_fd(ssl_, fd_);
    if (SSL_connect(ssl_) != 1) give_up("the handshake");
  }
  ~Client() {
    SSL_free(ssl_);
    close(fd_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(const std::string& text) {
    const auto size = static_cast<ssize_t>(text.size());
    const ssize_t sent = ssl_ != nullptr ? SSL_write(ssl_, text.data(), static_cast<int>(size))
                                         : ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent != size) give_up("sending");
  }
  /// One read: answers here are small and leave in one segment.
  std::string read() {
    char buffer[4096];
    const auto size =
        ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof(buffer)) : recv(fd_, buffer, sizeof(buffer), 0);
    if (size <= 0) give_up("reading an answer");
    return {buffer, static_cast<std::size_t>(size)};
  }
  std::string get(const std::string& path) {
    send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const std::string answer = read();
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

 private:
  int fd_;
  SSL* ssl_ = nullptr;
};

void wait_parked(Client& control, std::size_t count) {
  while (control.get("/count") != std::to_string(count)) usleep(1000);
}

void measure(std::size_t count, const std::shared_ptr<TlsContext>& tls) {
  int announce[2];
  if (pipe(announce) != 0) give_up("pipe");
  const pid_t server = fork();
  if (server == 0) run_server(announce[1], tls);
  std::uint16_t port = 0;
  if (read(announce[0], &port, sizeof(port)) != sizeof(port)) give_up("starting the server");
  SSL_CTX* context = tls ? SSL_CTX_new(TLS_client_method()) : nullptr;
  {
    Client control(port, context);
    control.get("/count");
    const std::uint64_t before = pss_bytes(server);
    const std::uint64_t kernel_before = kernel_bytes();
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<Client>(port, context));
      clients.back()->send(kPoll);
    }
    wait_parked(control, count);
    const char* what = tls ? "TLS" : "clear";
    const auto report = [&](const char* when) {
      std::printf("%-6s %6zu connections, %-22s %6.2f KiB PSS each, %6.2f KiB kernel (both ends)\n", what,
                  count, when,
                  static_cast<double>(pss_bytes(server) - before) / 1024.0 / static_cast<double>(count),
                  static_cast<double>(kernel_bytes() - kernel_before) / 1024.0 / static_cast<double>(count));
    };
    report("first request parked:");
    for (int round = 0; round < 3; ++round) {
      control.get("/flush");
      for (const auto& client : clients) client->read();
      for (const auto& client : clients) client->send(kPoll);
      wait_parked(control, count);
    }
    report("fourth request parked:");
    const double cpu = cpu_ms(server);
    sleep(kIdleSeconds);
    std::printf("%-6s idle: %.2f ms of CPU a second\n", what, (cpu_ms(server) - cpu) / kIdleSeconds);
  }
  SSL_CTX_free(context);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  close(announce[0]);
  close(announce[1]);
}

std::shared_ptr<TlsContext> make_tls(const Scratch& scratch) {
  const std::string certificate = scratch.file("certificate.pem");
  const std::string key = scratch.file("key.pem");
  EVP_PKEY* pair = EVP_EC_gen("P-256");
  X509* made = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(made), 0);
  X509_gmtime_adj(X509_getm_notAfter(made), 3600);
  X509_set_pubkey(made, pair);
  X509_sign(made, pair, EVP_sha256());
  umask(077);
  FILE* file = std::fopen(certificate.c_str(), "w");
  PEM_write_X509(file, made);
  std::fclose(file);
  file = std::fopen(key.c_str(), "w");
  PEM_write_PrivateKey(file, pair, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(made);
  EVP_PKEY_free(pair);
  auto context = TlsContext::load(certificate, key);
  if (!context.ok()) give_up(context.error().text);
  return context.value();
}

}  // namespace

int main() {
  try {
    const char* wanted = std::getenv("MAYFLY_BENCH_CONNECTIONS");
    const std::size_t files = mayfly::raise_file_limit() - kReserveFiles;
    const std::size_t count =
        std::min<std::size_t>(wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 10'000, files);
    const Scratch scratch;
    measure(count, nullptr);
    measure(std::max<std::size_t>(count / 10, 1), make_tls(scratch));
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "idle_connections: %s\n", failure.what());
    return 1;
  }
}
