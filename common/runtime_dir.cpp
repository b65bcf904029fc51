#include "common/runtime_dir.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace mayfly {

using shm::Errc;
using shm::Error;
using shm::os_error;
using shm::Result;
using shm::Status;

namespace {

constexpr off_t kMaxInfoBytes = 1 << 20;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string hexadecimal(unsigned long number) {
  std::ostringstream text;
  text << "0x" << std::hex << number;
  return text.str();
}

// The options of the mount that `device` is, from /proc/self/mountinfo: "rw,size=…,noswap".
// Fields: id parent major:minor root point options [optional…] - type source super-options.
std::string mount_options(dev_t device) {
  const std::string wanted = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, number;
    fields >> id >> parent >> number;
    if (number != wanted) continue;
    const auto dash = line.find(" - ");
    return dash == std::string::npos ? "" : line.substr(dash + 3);
  }
  return "";
}

bool has_option(const std::string& options, const std::string& name) {
  std::istringstream list(options.substr(options.rfind(' ') + 1));
  for (std::string option; std::getline(list, option, ',');) {
    if (option == name) return true;
  }
  return false;
}

Result<Backing> backing_of_fd(int fd, const std::string& path) {
  struct statfs fs {};
  if (::fstatfs(fd, &fs) != 0) return os_error(Errc::io, "looking at the file system of " + path, errno);
  switch (static_cast<unsigned long>(fs.f_type)) {
    case TMPFS_MAGIC: {
      struct stat st {};
      if (::fstat(fd, &st) != 0) return os_error(Errc::io, "looking at " + path, errno);
      return Backing{"tmpfs", true, !has_option(mount_options(st.st_dev), "noswap")};
    }
    case RAMFS_MAGIC:
      return Backing{"ramfs", true, false};
    case HUGETLBFS_MAGIC:
      return Backing{"hugetlbfs", true, false};
    default:
      return Backing{hexadecimal(static_cast<unsigned long>(fs.f_type)), false, true};
  }
}

Status check_directory(const std::string& path, bool backing_too) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.get() < 0) {
    if (errno == ENOENT) return Error{Errc::not_found, path + " does not exist"};
    struct stat link {};
    if (::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
      return Error{Errc::untrusted, path + " is a symlink; name the directory itself"};
    }
    return os_error(errno == ENOTDIR || errno == EACCES ? Errc::untrusted : Errc::io, "opening " + path,
                    errno);
  }
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return os_error(Errc::io, "looking at " + path, errno);
  if (st.st_uid != ::geteuid()) {
    return Error{Errc::untrusted, path + " belongs to user " + std::to_string(st.st_uid) + ", not to us (" +
                                      std::to_string(::geteuid()) + ")"};
  }
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{Errc::untrusted, path + " is writable for others; run: chmod go-w " + path};
  }
  if (!backing_too) return {};
  const auto backing = backing_of_fd(fd.get(), path);
  if (!backing) return backing.error();
  if (!backing.value().memory_backed) {
    return Error{Errc::not_memory_backed, path + " is not memory-backed (file system " +
                                              backing.value().filesystem +
                                              "); take a directory on tmpfs, ramfs or hugetlbfs"};
  }
  return {};
}

// mkdir with exactly `mode`, whatever the umask. An existing directory keeps its own.
Status make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST) return {};
    const int code = errno;
    Error error = os_error(Errc::io, "creating " + path, code);
    if (code == ENOENT || code == EACCES || code == EROFS || code == EPERM) {
      error = {Errc::untrusted, error.text + "; name a directory of yours on a tmpfs with --runtime-dir"};
    }
    return error;
  }
  if (::chmod(path.c_str(), mode) != 0) return os_error(Errc::io, "setting the mode of " + path, errno);
  return {};
}

Status write_all(int fd, const std::string& text, const std::string& path) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error(Errc::io, "writing " + path, errno);
    done += static_cast<std::size_t>(n);
  }
  return {};
}

}  // namespace

RuntimePaths::RuntimePaths(const std::string& dir)
    : directory(dir),
      segments(dir + "/segments"),
      data(segments + "/data"),
      control(segments + "/control"),
      info(dir + "/mayfly.json"),
      lock(dir + "/lock"),
      ingest_socket(dir + "/ingest.sock"),
      relay_socket(dir + "/relay.sock"),
      notify_socket(dir + "/notify.sock"),
      host_key(dir + "/host.key") {}

std::string choose_runtime_dir(const std::string& flag) {
  std::string chosen = flag;
  if (chosen.empty()) {
    // systemd separates several with colons.
    const char* list = std::getenv("RUNTIME_DIRECTORY");
    if (list != nullptr) chosen = std::string(list).substr(0, std::string(list).find(':'));
  }
  if (chosen.empty()) chosen = "/dev/shm/mayfly-" + std::to_string(::geteuid());
  std::error_code ignored;
  std::string absolute = std::filesystem::absolute(chosen, ignored).string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

Result<Backing> backing_of(const std::string& path) {
  Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (fd.get() < 0) return os_error(errno == ENOENT ? Errc::not_found : Errc::io, "opening " + path, errno);
  return backing_of_fd(fd.get(), path);
}

bool swap_active() {
  std::ifstream swaps("/proc/swaps");
  std::string line;
  std::getline(swaps, line);  // the heading
  return static_cast<bool>(std::getline(swaps, line));
}

bool is_off_disk(const std::string& path) {
  const auto backing = backing_of(path);
  return backing.ok() && backing.value().memory_backed && (!backing.value().swappable || !swap_active());
}

Status check_off_disk(const std::string& path, bool allow_swap) {
  if (is_off_disk(path)) return {};
  const std::string why = "swap is in use, and may take what lies in " + path +
                          ": put it on a tmpfs mounted with noswap (Linux 6.4 or later) or on ramfs, or run "
                          "`swapoff -a`";
  if (!allow_swap) return Error{Errc::invalid, why + "; `allow_swap: true` starts all the same"};
  spdlog::warn("{}", why);
  return {};
}

Status prepare_runtime_dir(const std::string& directory) {
  const RuntimePaths paths(directory);
  if (paths.notify_socket.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error{Errc::invalid, directory + " is too long a path for the unix sockets in it"};
  }
  if (auto made = make_directory(directory, 0755); !made) return made;
  if (auto checked = check_directory(directory, true); !checked) return checked;
  if (auto made = make_directory(paths.segments, 0750); !made) return made;
  return check_directory(paths.segments, true);
}

Status check_runtime_dir(const std::string& directory) { return check_directory(directory, true); }

Status write_runtime_info(const std::string& directory, const nlohmann::ordered_json& info) {
  const RuntimePaths paths(directory);
  const std::string temporary = paths.info + ".new";
  ::unlink(temporary.c_str());
  {
    Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (fd.get() < 0) return os_error(Errc::io, "creating " + temporary, errno);
    if (::fchmod(fd.get(), 0644) != 0) return os_error(Errc::io, "setting the mode of " + temporary, errno);
    auto text = info.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (auto written = write_all(fd.get(), text, temporary); !written) return written;
  }
  if (::rename(temporary.c_str(), paths.info.c_str()) != 0) {
    return os_error(Errc::io, "replacing " + paths.info, errno);
  }
  return {};
}

Result<nlohmann::ordered_json> read_runtime_info(const std::string& directory) {
  const RuntimePaths paths(directory);
  Fd fd(::open(paths.info.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) {
    return os_error(errno == ENOENT ? Errc::not_found : Errc::io, "opening " + paths.info, errno);
  }
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return os_error(Errc::io, "looking at " + paths.info, errno);
  if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{Errc::untrusted, paths.info + " is writable for others or not a plain file"};
  }
  // A stranger may have made /dev/shm/mayfly-<uid> before us: its word would send our records to it.
  struct stat parent {};
  if (::stat(directory.c_str(), &parent) != 0 || parent.st_uid != st.st_uid) {
    return Error{Errc::untrusted, paths.info + " does not belong to its directory's owner"};
  }
  if (st.st_size > kMaxInfoBytes) return Error{Errc::corrupt, paths.info + " is too large"};
  std::string text(static_cast<std::size_t>(st.st_size), '\0');
  const ssize_t n = ::read(fd.get(), text.data(), text.size());
  if (n < 0) return os_error(Errc::io, "reading " + paths.info, errno);
  text.resize(static_cast<std::size_t>(n));
  auto info = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!info.is_object()) return Error{Errc::corrupt, paths.info + " is not a JSON object"};
  return info;
}

}  // namespace mayfly
