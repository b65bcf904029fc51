// A whole HTTP connection: bytes into a listening HttpServer by a socket, handlers that answer in every
// way that handlers can, and what comes out. It ends with its client, nothing is left of it, and its
// answers are what an HTTP client can read.
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <vector>

#include "common/http_framing.h"
#include "common/http_server.h"
#include "common/text.h"
#include "common/web_socket.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::http_server {

constexpr std::size_t kMaxPieces = 32;
constexpr int kMaxTurns = 2000;
constexpr int kTurnsOfSilence = 3;

/// What the handlers of one connection hold, and what they saw.
struct Conversation {
  std::vector<bool> head_only;          // of each request that a handler got
  bool plain = true;                    // only handlers whose answers do not depend on time
  std::vector<ResponseWriterPtr> late;  // to be answered in the next turn
  std::vector<std::shared_ptr<WebSocket>> web_sockets;
  std::vector<std::shared_ptr<ByteStream>> streams;
};

std::string number_header(const Conversation& now) { return std::to_string(now.head_only.size() - 1); }

void echo(const HttpRequest& request, ResponseWriter& response, const std::string& number) {
  // Foreign text as headers: what would end a header must not leave.
  HttpHeaders headers{{"X-Answer", number}, {"X-Path", percent_decode(request.path).value_or("")}};
  for (const auto& [name, value] : request.headers) headers.emplace_back("X-" + name, value);
  response.send(200, headers, request.method + " " + request.path + "?" + request.query + " " + request.body);
}

void with_length(const HttpRequest& request, ResponseWriter& response, const std::string& number) {
  response.begin(200, {{"X-Answer", number}, {"Content-Length", "5"}});
  response.write(std::string(std::min<std::size_t>(request.query.size(), 9), 'x'));
  response.end();
}

void chunked(const HttpRequest& request, ResponseWriter& response, const std::string& number) {
  response.begin(200, {{"X-Answer", number}});
  response.write(request.query);
  response.write(std::string(300, 'c'));
  response.end();
}

void tail(Conversation& now, const ResponseWriterPtr& response) {
  now.plain = false;
  response->set_open_ended();
  response->begin(200, {{"Content-Type", "text/event-stream"}});
  response->write("data: 1\n\n");
  response->on_drain(4, [response] { response->write("data: 2\n\n"); });
  response->on_closed([response] {});
  now.late.push_back(response);
}

/// Takes a streamed body, now and then held back; answers before its end where the path says so.
void upload(Conversation& now, const HttpRequest& request, const ResponseWriterPtr& response) {
  now.plain = false;
  const auto bytes = std::make_shared<std::size_t>(0);
  const std::shared_ptr<BodyReader> body = request.body_reader;
  const bool early = request.path == "/up/early";
  const bool slow = request.path == "/up/slow";
  body->read(
      [=, &now](std::string_view piece) {
        *bytes += piece.size();
        if (slow) body->pause(true);
        if (slow) now.late.push_back(nullptr);
        if (early) response->send(200, {}, "enough");
      },
      [=](bool complete) { response->send(complete ? 200 : 400, {}, std::to_string(*bytes)); });
  if (slow) body->pause(false);
}

void web_socket(Conversation& now, const HttpRequest& request, const ResponseWriterPtr& response) {
  now.plain = false;
  auto socket = WebSocket::accept(request, *response);
  if (!socket) return;
  const std::weak_ptr<WebSocket> weak = socket;
  socket->start(
      [weak](std::string_view text) {
        const auto open = weak.lock();
        require(is_utf8(text), "a text message is UTF-8");
        if (open && text == "bye") open->close(1000, "bye");
        if (open) open->send_text(text);
      },
      [] {});
  now.web_sockets.push_back(std::move(socket));
}

void raw_stream(Conversation& now, const ResponseWriterPtr& response) {
  now.plain = false;
  auto stream = response->upgrade({{"Upgrade", "echo"}});
  if (!stream) return response->send(400, {}, "no");
  const std::weak_ptr<ByteStream> weak = stream;
  stream->start(
      [weak](std::string_view data) {
        const auto open = weak.lock();
        if (open) open->write(data);
        if (open && data.find("close") != std::string_view::npos) open->close();
      },
      [] {});
  now.streams.push_back(std::move(stream));
}

void answer(Conversation& now, const HttpRequest& request, const ResponseWriterPtr& response) {
  now.head_only.push_back(request.is_head());
  const std::string number = number_header(now);
  if (request.body_reader) return upload(now, request, response);
  if (request.path == "/length") return with_length(request, *response, number);
  if (request.path == "/chunked") return chunked(request, *response, number);
  if (request.path == "/big") return response->send(200, {{"X-Answer", number}}, std::string(300'000, 'b'));
  if (request.path == "/none") return response->send(204, {{"X-Answer", number}}, "");
  if (request.path == "/drop") return;
  if (request.path == "/throw") throw std::runtime_error("a handler that fails");
  if (request.path == "/tail") return tail(now, response);
  if (request.path == "/ws") return web_socket(now, request, response);
  if (request.path == "/raw") return raw_stream(now, response);
  if (request.path == "/late") return now.late.push_back(response);
  if (request.path == "/abort") {
    now.plain = false;
    response->begin(200, {});
    response->write("half");
    return response->abort();
  }
  echo(request, *response, number);
}

/// The server, kept from input to input: each must leave nothing behind.
class Listening {
 public:
  Listening() : folder_("/dev/shm/mayfly-fuzz-XXXXXX") {
    ::signal(SIGPIPE, SIG_IGN);  // as all daemons do
    require(::mkdtemp(folder_.data()) != nullptr && uv_loop_init(&loop_) == 0, "a directory and a loop");
    HttpServerOptions options;
    options.max_head_bytes = 2048;
    options.max_body_bytes = 600;
    options.hosts = {"relay.example.org"};
    options.streams_body = [](const HttpRequest& head) { return head.path.starts_with("/up"); };
    server_ = std::make_unique<HttpServer>(
        &loop_, options,
        [this](HttpRequest request, ResponseWriterPtr response) { answer(now, request, response); });
    require(server_->listen_unix(path(), 0600, std::nullopt).ok(), "a listening socket");
  }
  ~Listening() {
    server_.reset();
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  int connect_client() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    require(fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
            "a connection");
    return fd;
  }
  void turn() { uv_run(&loop_, UV_RUN_NOWAIT); }
  std::uint64_t connections() const { return server_->counts().connections; }

  Conversation now;

 private:
  std::string path() const { return folder_ + "/s"; }
  std::string folder_;
  uv_loop_t loop_{};
  std::unique_ptr<HttpServer> server_;
};

void answer_late_ones(Conversation& now) {
  for (const auto& response : std::exchange(now.late, {})) {
    if (!response) continue;
    response->send(200, {}, "late");
    response->write("data: 3\n\n");
    response->end();
  }
}

/// True while the client has not seen the end.
bool take(int fd, std::string& out) {
  char chunk[65536];
  ssize_t got = 0;
  while ((got = ::recv(fd, chunk, sizeof chunk, MSG_DONTWAIT)) > 0)
    out.append(chunk, static_cast<std::size_t>(got));
  return got < 0 && errno == EAGAIN;
}

std::string converse(Listening& server, std::string_view bytes, std::size_t piece, bool half_close) {
  server.now = {};
  std::string out;
  const int fd = server.connect_client();
  piece = std::max(piece, bytes.size() / kMaxPieces + 1);
  bool open = true;
  for (int turns = 0; open && !bytes.empty() && turns < kMaxTurns; ++turns) {
    const ssize_t sent = ::send(fd, bytes.data(), std::min(piece, bytes.size()), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) break;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    server.turn();
    answer_late_ones(server.now);
    server.turn();
    open = take(fd, out);
  }
  if (half_close) ::shutdown(fd, SHUT_WR);
  for (int silent = 0; open && half_close && silent < kTurnsOfSilence; ++silent) {
    const std::size_t before = out.size();
    server.turn();
    answer_late_ones(server.now);
    open = take(fd, out);
    if (out.size() != before) silent = 0;
  }
  ::close(fd);
  for (int turns = 0; server.connections() > 0 && turns < kMaxTurns; ++turns) {
    server.turn();
    answer_late_ones(server.now);
  }
  require(server.connections() == 0, "a connection ends with its client");
  const bool plain = server.now.plain;
  server.now.web_sockets.clear();
  server.now.streams.clear();
  server.turn();
  server.now.plain = plain;
  return out;
}

/// The value of a header (lower-case name) in a head; empty: not there. Requires a well-formed head.
std::string head_value(std::string_view head, std::string_view wanted) {
  std::string found;
  require(head.starts_with("HTTP/1.1 "), "an answer begins with its status");
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;) {
    head.remove_prefix(at + 2);
    at = head.find("\r\n");
    const std::string_view line = head.substr(0, at);
    if (line.empty()) break;
    const std::size_t colon = line.find(": ");
    require(colon != std::string_view::npos && colon > 0, "a header has a name");
    require(
        std::none_of(line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }),
        "a header is one line");
    if (to_lower(line.substr(0, colon)) == wanted) found = line.substr(colon + 2);
  }
  return found;
}

/// Reads answer after answer, as far as they are a handler's, and leaves out what differs from second to
/// second. What does not make whole answers is a finding.
std::string read_answers(std::string_view out, const Conversation& now) {
  std::string read;
  while (!out.empty()) {
    const std::size_t end = out.find("\r\n\r\n");
    require(end != std::string_view::npos, "an answer's head is whole");
    const std::string_view head = out.substr(0, end + 4);
    const std::string number = head_value(head, "x-answer");
    read += head.substr(0, 12);
    out.remove_prefix(end + 4);
    if (head.starts_with("HTTP/1.1 100")) continue;
    if (number.empty()) return read;  // the server's own, after which it closes, or one without a body
    const std::string length = head_value(head, "content-length");
    const bool bodiless = now.head_only.at(std::stoul(number)) || head.starts_with("HTTP/1.1 204");
    if (bodiless) continue;
    if (length.empty()) return read + std::string(out);  // chunks
    const std::size_t size = std::stoul(length);
    if (out.size() < size) return read;  // broken off, as with_length() does
    read += out.substr(0, size);
    out.remove_prefix(size);
  }
  return read;
}

void run(std::string_view input) {
  static Listening server;
  Input choices(input);
  const std::uint8_t how = choices.byte();
  const std::size_t piece = 1 + choices.byte();
  const std::string_view bytes = choices.rest();
  const bool half_close = (how & 1) == 0;
  const std::string whole = converse(server, bytes, SIZE_MAX, half_close);
  if (!half_close || !server.now.plain) {
    converse(server, bytes, piece, half_close);
    return;
  }
  const std::string first = read_answers(whole, server.now);
  const std::string cut = converse(server, bytes, piece, half_close);
  if (bytes.find("100-") != std::string_view::npos) return;  // asked for only where the body is late
  require(read_answers(cut, server.now) == first, "the same answers however the bytes are cut");
}

}  // namespace mayfly::fuzz::http_server

MAYFLY_FUZZ_TARGET(http_server, mayfly::fuzz::http_server::run)
