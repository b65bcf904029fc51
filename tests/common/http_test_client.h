// A blocking HTTP client for tests: sends bytes as they are given, reads with a deadline.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace mayfly::test {

struct TestAnswer {
  int status = 0;                              // 0: nothing that looks like an answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without chunk framing
  bool complete = false;
};

class TestConnection {
 public:
  static constexpr std::chrono::seconds kDeadline{20};

  explicit TestConnection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  explicit TestConnection(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~TestConnection() { close(); }
  TestConnection(const TestConnection&) = delete;
  TestConnection& operator=(const TestConnection&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void half_close() { shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  /// Reads until `enough(received so far)` or the end. True: it was enough.
  bool read_until(const std::function<bool()>& enough) {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (!enough()) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      pollfd poller{fd_, POLLIN, 0};
      if (left.count() <= 0 || poll(&poller, 1, static_cast<int>(left.count())) <= 0) return false;
      char buffer[65536];
      const ssize_t size = recv(fd_, buffer, sizeof(buffer), 0);
      if (size <= 0) {
        at_end_ = true;
        reset_ = size < 0;
        return enough();
      }
      received_.append(buffer, static_cast<std::size_t>(size));
    }
    return true;
  }
  /// True when the other side closes within the deadline.
  bool read_to_end() {
    read_until([this] { return at_end_; });
    return at_end_;
  }

  /// One answer; what follows stays for the next call. `head`: it has no body whatever it says.
  TestAnswer read_answer(bool head = false) {
    TestAnswer answer;
    read_until([&] { return parse(answer, head) || at_end_; });
    parse(answer, head);
    if (answer.complete) received_.erase(0, used_);
    return answer;
  }
  TestAnswer get(const std::string& target, const std::string& headers = {}) {
    send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    return read_answer();
  }
  /// Reads a streamed answer until its body holds `text`.
  bool read_body_until(const std::string& text) {
    return read_until([&] { return stream_body().find(text) != std::string::npos; });
  }
  /// The body so far of an answer that has no end yet.
  std::string stream_body() {
    TestAnswer answer;
    parse(answer, false);
    return answer.body;
  }
  const std::string& received() const { return received_; }
  /// Takes away what was received.
  std::string take_received() { return std::exchange(received_, {}); }
  /// The end was no orderly one.
  bool was_reset() const { return reset_; }

 private:
  /// Reads what there is of the first answer. True: it is complete.
  bool parse(TestAnswer& answer, bool head) {
    answer = TestAnswer();
    const std::size_t end = received_.find("\r\n\r\n");
    if (end == std::string::npos || received_.rfind("HTTP/1.", 0) != 0) return false;
    answer.status = std::stoi(received_.substr(9, 3));
    parse_headers(received_.substr(0, end), answer);
    const std::string_view rest = std::string_view(received_).substr(end + 4);
    used_ = end + 4;
    if (head || answer.status == 304 || answer.status == 204) return answer.complete = true;
    if (answer.headers.count("transfer-encoding") != 0) return parse_chunks(rest, answer);
    const auto length = answer.headers.find("content-length");
    if (length == answer.headers.end()) {
      answer.body = rest;
      used_ += rest.size();
      return answer.complete = at_end_;
    }
    const std::size_t size = std::stoul(length->second);
    answer.body = rest.substr(0, size);
    used_ += answer.body.size();
    return answer.complete = answer.body.size() == size;
  }
  static void parse_headers(const std::string& head, TestAnswer& answer) {
    std::size_t at = head.find("\r\n");
    while (at != std::string::npos) {
      const std::size_t next = head.find("\r\n", at + 2);
      const std::string line = head.substr(at + 2, next == std::string::npos ? next : next - at - 2);
      const std::size_t colon = line.find(": ");
      std::string name = line.substr(0, colon);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (colon != std::string::npos) answer.headers[name] = line.substr(colon + 2);
      at = next;
    }
  }
  bool parse_chunks(std::string_view rest, TestAnswer& answer) {
    while (true) {
      const std::size_t line = rest.find("\r\n");
      if (line == std::string_view::npos) return false;
      const std::size_t size = std::stoul(std::string(rest.substr(0, line)), nullptr, 16);
      if (rest.size() < line + 2 + size + 2) return false;
      answer.body += rest.substr(line + 2, size);
      used_ += line + 2 + size + 2;
      rest.remove_prefix(line + 2 + size + 2);
      if (size == 0) return answer.complete = true;
    }
  }

  int fd_;
  bool connected_ = false;
  bool at_end_ = false;
  bool reset_ = false;
  std::size_t used_ = 0;
  std::string received_;
};

/// One request on a connection of its own.
inline TestAnswer http_get(std::uint16_t port, const std::string& target, const std::string& headers = {}) {
  TestConnection connection(port);
  return connection.get(target, headers);
}

}  // namespace mayfly::test
