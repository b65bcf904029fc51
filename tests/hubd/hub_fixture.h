// A hub on a loop of its own thread, and a client with which to ask it.
#pragma once

#include <gtest/gtest.h>
#include <uv.h>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "hubd/hub.h"

namespace mayfly::hubd {

/// True as soon as `condition` is; false after 20 s without.
bool eventually(const std::function<bool()>& condition);

struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

/// One connection to 127.0.0.1. Fails the test when nothing comes for 20 s.
class Client {
 public:
  explicit Client(std::uint16_t port);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(const std::string& bytes) const;
  /// Sends a GET of HTTP/1.1 with a Host; `headers` are whole lines, each ended by CR LF.
  void ask(const std::string& target, const std::string& headers = "") const;
  Reply read();
  Reply get(const std::string& target, const std::string& headers = "");

 private:
  bool fill();
  int fd_ = -1;
  std::uint16_t port_;
  std::string buffer_;
};

/// A directory for files, and at most one hub. Everything ends with the test.
class HubTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void put(const std::string& name, const std::string& text) const;
  /// Writes as most editors do: a new file takes the place of the old one.
  void replace(const std::string& name, const std::string& text) const;

  /// Starts a hub on a free port. On an error nothing runs.
  shm::Status start(HubOptions options);
  /// The same with the file "hub.yaml".
  void start_with_file();
  void stop();
  void reload();

  std::uint16_t port() const { return port_; }
  Reply get(const std::string& target, const std::string& headers = "") const {
    return Client(port_).get(target, headers);
  }
  /// The number that /metrics has for a sample, such as `x{code="200"}`; -1: not there.
  double metric(const std::string& sample) const;

 private:
  void run(HubOptions options, std::promise<shm::Status>& started);

  std::string directory_;
  std::thread thread_;
  uv_async_t wake_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> reload_{false};
  std::uint16_t port_ = 0;
};

}  // namespace mayfly::hubd
