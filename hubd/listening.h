// The hub's listening sockets: handed over, or its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hubd/hub_config.h"
#include "shm/result.h"

namespace mayfly::hubd {

/// Owns listening sockets, so that a server on them can be replaced without a connection refused.
class ListeningSockets {
 public:
  /// Binds and listens. Errors: busy (in use), io.
  static shm::Result<std::unique_ptr<ListeningSockets>> bind(const ListenAddress& address);
  /// Takes over descriptors that listen already.
  static std::unique_ptr<ListeningSockets> adopt(std::vector<int> descriptors);
  ~ListeningSockets();
  ListeningSockets(const ListeningSockets&) = delete;
  ListeningSockets& operator=(const ListeningSockets&) = delete;

  /// New descriptors of the same sockets, the caller's. Error: io.
  shm::Result<std::vector<int>> duplicates() const;
  /// Where they listen; unix sockets count as 127.0.0.1, port 0: only file modes let people in.
  std::vector<ListenAddress> addresses() const;
  /// For people: "127.0.0.1:4000, unix".
  std::string text() const;

 private:
  explicit ListeningSockets(std::vector<int> descriptors) : descriptors_(std::move(descriptors)) {}
  std::vector<int> descriptors_;
};

}  // namespace mayfly::hubd
