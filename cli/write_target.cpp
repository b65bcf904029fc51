#include "cli/write_target.h"

#include <netdb.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/host_files.h"

namespace mayfly::cli {

using shm::Errc;
using shm::Error;
using shm::Result;

namespace {

Result<std::vector<WriteTarget>> unix_target(const std::string& path) {
  WriteTarget target;
  auto* address = reinterpret_cast<sockaddr_un*>(&target.address);
  if (path.empty() || path.size() >= sizeof address->sun_path) {
    return Error{Errc::invalid, "no path for a unix socket: " + path};
  }
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, path.data(), path.size());
  target.size = sizeof *address;
  target.text = path;
  return std::vector<WriteTarget>{target};
}

Result<std::vector<WriteTarget>> tcp_targets(const std::string& host, const std::string& port,
                                             const std::string& text) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list); error != 0) {
    return Error{Errc::not_found, "looking up " + text + ": " + ::gai_strerror(error)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<WriteTarget> targets;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    WriteTarget target;
    std::memcpy(&target.address, one->ai_addr, one->ai_addrlen);
    target.size = one->ai_addrlen;
    target.text = text;
    targets.push_back(target);
  }
  return targets;
}

}  // namespace

Result<std::vector<WriteTarget>> parse_target(const std::string& text) {
  constexpr const char* kUnix = "unix:";
  if (text.rfind(kUnix, 0) == 0) return unix_target(text.substr(std::strlen(kUnix)));
  if (text.find('/') != std::string::npos) return unix_target(text);
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    return Error{Errc::invalid, "neither host:port nor the path of a socket: " + text};
  }
  std::string host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return tcp_targets(host, text.substr(colon + 1), text);
}

Result<std::vector<WriteTarget>> find_targets(const Globals& globals,
                                              const std::vector<std::string>& fields) {
  const char* variable = std::getenv("MAYFLY_ADDR");
  if (variable != nullptr && *variable != '\0') {
    auto targets = parse_target(variable);
    return targets ? targets : targets.error().in("MAYFLY_ADDR");
  }
  const std::string directory = globals.runtime_directory();
  const auto info = find_runtime_info(directory);
  if (!info) {
    if (info.error().code != Errc::not_found) return info.error();
    return Error{Errc::not_found, "nothing is up in " + directory + " (see `mayfly up`)"};
  }
  std::vector<WriteTarget> all;
  for (const auto& field : fields) {
    const auto text = info.value().find(field);
    if (text == info.value().end() || !text->is_string()) continue;
    auto targets = parse_target(text->get<std::string>());
    if (targets) std::copy(targets.value().begin(), targets.value().end(), std::back_inserter(all));
  }
  if (all.empty())
    return Error{Errc::not_found, "mayfly.json in " + directory + " names no socket of that kind"};
  return all;
}

}  // namespace mayfly::cli
