// A whole ingestd in this process: segment on a memory-backed directory, rules published by a
// ControlWriter, real sockets on free ports.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "ingestd/server.h"
#include "shm/control.h"
#include "shm/reader.h"

namespace mayfly::ingestd {

/// True once `condition` holds; false when it did not within 20 seconds.
bool eventually(const std::function<bool()>& condition);

/// A directory of its own under /dev/shm, removed at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A blocking client socket with deadlines.
class Client {
 public:
  Client() = default;
  explicit Client(int fd) : fd_(fd) {}
  ~Client() { close(); }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  Client& operator=(Client&& other) noexcept;
  static Client tcp(const std::string& address);
  static Client unix_socket(const std::string& path);

  void send(std::string_view bytes);
  /// Sends what the server takes; false once it has hung up.
  bool try_send(std::string_view bytes);
  /// One line, without CRLF; "<eof>" at the end, "<timeout>" after 20 seconds.
  std::string line();
  /// So many bytes.
  std::string bytes(std::size_t count);
  /// One whole RESP2 (or HELLO 3) reply, as it came.
  std::string reply();
  /// send(), then reply().
  std::string ask(std::string_view text);
  /// All that comes until the server closes.
  std::string rest();
  void half_close();
  void close();
  /// Closes with a reset, as a program does that never read its input.
  void reset();
  int fd() const { return fd_; }

 private:
  bool fill();
  int fd_ = -1;
  std::string buffer_;
};

/// A RESP array of bulk strings.
std::string resp(const std::vector<std::string>& arguments);

shm::Rule exact(shm::Kind kind, const std::string& name, const shm::Quotas& quotas = {});
shm::Rule pattern(shm::Kind kind, const std::string& text, std::uint64_t max_directories = 64,
                  const shm::Quotas& quotas = {});

class IngestTest : public testing::Test {
 protected:
  struct Setup {
    std::uint32_t workers = 1;
    std::uint64_t bytes = 16 << 20;
    std::uint32_t page_bytes = 16384;
    Limits limits;
  };

  void SetUp() override;
  void TearDown() override;
  /// Starts (or, after stop_server(), restarts) ingestd.
  void start_server(const Setup& setup);
  void start_server() { start_server(Setup{}); }
  void stop_server();
  /// Makes these rules the ones in force and waits until ingestd has applied them.
  void publish(const std::vector<shm::Rule>& rules, bool paused = false);
  /// As relayd does, without waiting.
  std::string publish_only(const std::vector<shm::Rule>& rules, bool paused = false);
  void open_control();

  Client native() { return Client::tcp(native_address_); }
  Client redis() { return Client::tcp(redis_address_); }
  /// A native client that has read its +GO or -STOP.
  Client greeted();

  shm::Reader reader() const;
  /// key=value of everything that lives, in order of seq.
  std::vector<std::string> records(shm::Kind kind, const std::string& name) const;
  std::optional<shm::DirectoryInfo> directory(shm::Kind kind, const std::string& name) const;
  shm::SegmentInfo info() const;
  std::uint64_t dropped(shm::Kind kind, const std::string& name, shm::DropCause cause) const;
  std::uint64_t unattributed(shm::DropCause cause) const;

  TempDir dir_;
  std::string native_address_;
  std::string redis_address_;
  std::string unix_path_;
  std::unique_ptr<shm::ControlWriter> control_;
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  int version_ = 0;
};

/// DROPPED's answer as a map.
std::map<std::string, std::uint64_t> dropped_counts(Client& client);

}  // namespace mayfly::ingestd
