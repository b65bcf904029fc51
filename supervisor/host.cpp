#include "supervisor/host.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "common/tripcode.h"
#include "common/yaml_file.h"
#include "shm/quotas.h"
#include "supervisor/fd.h"

namespace mayfly::supervisor {

using shm::Errc;
using shm::Error;
using shm::os_error;
using shm::Result;

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMaxKeyFileBytes = 4096;

const YamlValue* find_key(const YamlFile& file, std::string_view key) {
  for (const auto& entry : file.root.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Result<std::string> read_key_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd)
    return os_error(errno == ENOENT ? Errc::not_found : Errc::io, "opening the key file " + path, errno);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return os_error(Errc::io, "looking at " + path, errno);
  if (!S_ISREG(st.st_mode) || st.st_uid != ::geteuid() || (st.st_mode & 077) != 0) {
    return Error{Errc::untrusted, path + " holds a key: it must be a file of ours with mode 0600"};
  }
  std::string text(kMaxKeyFileBytes, '\0');
  const ssize_t n = ::read(fd.get(), text.data(), text.size());
  if (n < 0) return os_error(Errc::io, "reading " + path, errno);
  text.resize(static_cast<std::size_t>(n));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.empty()) return Error{Errc::invalid, path + " holds no key"};
  return text;
}

Result<std::string> random_key() {
  unsigned char bytes[kKeyBytes];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return Error{Errc::io, "no random numbers to be had for a key"};
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string key;
  for (const unsigned char byte : bytes) {
    key += kDigits[byte >> 4];
    key += kDigits[byte & 15];
  }
  return key;
}

// The key of an earlier start, so that a hub that keeps its own list goes on knowing us; or a new one.
Result<std::string> read_or_make_key(const std::string& path) {
  auto known = read_key_file(path);
  if (known || known.error().code != Errc::not_found) return known;
  auto key = random_key();
  if (!key) return key;
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return os_error(Errc::io, "creating " + temporary, errno);
  const std::string line = key.value() + "\n";
  if (::write(fd.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    return os_error(Errc::io, "writing " + path, errno);
  }
  return key;
}

}  // namespace

std::string local_server_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  std::string text = std::string(name).substr(0, shm::kMaxNameBytes);
  for (char& c : text) {
    const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                         c == '.' || c == '_' || c == '-';
    if (!allowed) c = '-';
  }
  if (text[0] == '.' || text[0] == '-') text[0] = '_';
  return text;
}

Result<HostIdentity> load_host_identity(const std::string& config, const std::string& key_path) {
  HostIdentity identity;
  std::string key;
  if (!config.empty()) {
    auto file = load_yaml_file(config);
    if (!file) return file.error();
    if (const auto* name = find_key(file.value(), "name")) {
      identity.name = name->text;
      identity.name_in_config = true;
    }
    identity.hub_in_config =
        find_key(file.value(), "hub_url") != nullptr || find_key(file.value(), "quota_url") != nullptr;
    if (const auto* inline_key = find_key(file.value(), "api_key")) {
      if (auto closed = require_private(*inline_key); !closed) return closed.error();
      key = inline_key->text;
    } else if (const auto* path = find_key(file.value(), "api_key_file")) {
      auto read = read_key_file(path->text);
      if (!read) return Error{Errc::invalid, path->place.text() + ": " + read.error().text};
      key = read.value();
    }
  }
  if (identity.name.empty()) identity.name = local_server_name();
  if (key.empty()) {
    auto made = read_or_make_key(key_path);
    if (!made) return made.error();
    key = made.value();
    identity.key_file = key_path;
  }
  identity.tripcode = tripcode(key);
  return identity;
}

}  // namespace mayfly::supervisor
