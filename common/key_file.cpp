#include "common/key_file.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/tripcode.h"

namespace mayfly {
namespace {

constexpr std::size_t kRandomKeyBytes = 32;
constexpr std::size_t kMaxKeyFileBytes = 4096;

shm::Error invalid_key(const std::string& text) { return {shm::Errc::invalid, text}; }

shm::Result<std::string> random_key() {
  unsigned char bytes[kRandomKeyBytes];
  if (RAND_bytes(bytes, sizeof bytes) != 1) {
    return shm::Error{shm::Errc::io, "no random numbers to be had for a key"};
  }
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string key;
  for (const unsigned char byte : bytes) {
    key += kDigits[byte >> 4];
    key += kDigits[byte & 15];
  }
  return key;
}

/// Writes a file that is complete once it has its name, and that replaces none.
shm::Status write_key_file(const std::string& path, const std::string& key) {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return shm::os_error(shm::Errc::io, "creating " + temporary, errno);
  const std::string line = key + "\n";
  const bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const bool named = written && link(temporary.c_str(), path.c_str()) == 0;
  const int error = errno;
  close(fd);
  unlink(temporary.c_str());
  // Somebody else was faster: theirs is the key, then.
  if (!named && error != EEXIST) return shm::os_error(shm::Errc::io, "writing " + path, error);
  return {};
}

}  // namespace

shm::Status check_key(std::string_view key) {
  if (key.empty()) return invalid_key("the key is empty");
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x21 || byte > 0x7e) return invalid_key("a key has visible ASCII characters only");
  }
  if (is_well_known_password(blake3(key))) {
    return invalid_key(
        "this key is one that everybody tries first: name a file that does not exist, and one is made");
  }
  return {};
}

shm::Result<std::string> read_key_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    return shm::os_error(errno == ENOENT ? shm::Errc::not_found : shm::Errc::io,
                         "opening the key file " + path, errno);
  }
  struct stat status {};
  std::string text(kMaxKeyFileBytes, '\0');
  const bool known = fstat(fd, &status) == 0;
  const ssize_t size = read(fd, text.data(), text.size());
  const int error = errno;
  close(fd);
  if (!known || size < 0) return shm::os_error(shm::Errc::io, "reading " + path, error);
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
    return shm::Error{shm::Errc::untrusted, path + " holds a key: it must be a file of ours with mode 0600"};
  }
  text.resize(static_cast<std::size_t>(size));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.empty()) return invalid_key(path + " holds no key");
  if (const auto checked = check_key(text); !checked.ok()) return checked.error().in(path);
  return text;
}

shm::Result<HostKey> read_or_make_key_file(const std::string& path) {
  auto known = read_key_file(path);
  if (known.ok()) return HostKey{std::move(known.value()), false};
  if (known.error().code != shm::Errc::not_found) return known.error();
  const auto key = random_key();
  if (!key.ok()) return key.error();
  if (auto written = write_key_file(path, key.value()); !written.ok()) return written.error();
  known = read_key_file(path);
  if (!known.ok()) return known.error();
  return HostKey{known.value(), known.value() == key.value()};
}

}  // namespace mayfly
