#include "cli/hub_drop_in.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "common/program_path.h"

namespace mayfly::cli {
namespace {

using shm::Errc;
using shm::Error;
using shm::os_error;
using shm::Result;
using shm::Status;

constexpr std::size_t kMaxCheckBytes = 64 << 10;  // of what hubd says

/// A file that goes away at the end unless it was kept.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (fd_ >= 0) close(fd_);
    if (!kept_) unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  Status write(const std::string& content, mode_t mode) {
    fd_ = mkostemp(path_.data(), O_CLOEXEC);  // mode 0600
    if (fd_ < 0) return os_error(Errc::io, "creating " + path_, errno);
    const char* at = content.data();
    for (std::size_t left = content.size(); left > 0;) {
      const ssize_t size = ::write(fd_, at, left);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return os_error(Errc::io, "writing " + path_, errno);
      at += size;
      left -= static_cast<std::size_t>(size);
    }
    if (fchmod(fd_, mode) != 0 || fsync(fd_) != 0) return os_error(Errc::io, "writing " + path_, errno);
    return {};
  }

  Status belongs_to(const struct stat& owner) const {
    if (geteuid() != 0 || fchown(fd_, owner.st_uid, owner.st_gid) == 0) return {};
    return os_error(Errc::io, "giving " + path_ + " to the owner of the hub's file", errno);
  }

  /// Becomes `path`, which must not exist.
  Status become(const std::string& path) {
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
      if (errno == EEXIST) return Error{Errc::busy, path + " exists already"};
      return os_error(Errc::io, "renaming to " + path, errno);
    }
    kept_ = true;
    return {};
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
  bool kept_ = false;
};

Status make_directory(const std::string& path, const struct stat& owner) {
  if (mkdir(path.c_str(), 0755) != 0) {
    return errno == EEXIST ? Status() : Status(os_error(Errc::io, "creating " + path, errno));
  }
  if (geteuid() == 0 && chown(path.c_str(), owner.st_uid, owner.st_gid) != 0)
    return os_error(Errc::io, "giving " + path + " to the owner of the hub's file", errno);
  return {};
}

/// A secret is closed to others; and to a group too, unless the hub's file itself is for that group alone
/// (as where a package has its hub run as a user of its own).
mode_t secret_mode(const struct stat& hub_file) {
  return (hub_file.st_mode & S_IRWXO) == 0 ? 0600 | (hub_file.st_mode & S_IRGRP) : 0600;
}

/// Starts hubd with its standard error going to `to`.
Result<pid_t> start_check(const std::vector<std::string>& arguments, int to) {
  std::vector<std::string> words = {program_path("hubd")};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, to, STDERR_FILENO);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT)
    return Error{Errc::not_found, "no " + words[0] + ": is the package mayfly-hub installed?"};
  if (failed != 0) return os_error(Errc::io, "starting " + words[0], failed);
  return pid;
}

std::string read_all(int fd) {
  std::string text;
  char bytes[4096];
  for (;;) {
    const ssize_t size = read(fd, bytes, sizeof bytes);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    if (text.size() < kMaxCheckBytes) text.append(bytes, static_cast<std::size_t>(size));
  }
}

}  // namespace

Result<std::string> check_hub_file(const std::string& file, const std::vector<std::string>& drop_ins) {
  std::vector<std::string> arguments = {"--check", "--config", file};
  for (const std::string& drop_in : drop_ins) arguments.insert(arguments.end(), {"--drop-in", drop_in});
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return os_error(Errc::io, "making a pipe", errno);
  const Result<pid_t> pid = start_check(arguments, ends[1]);
  close(ends[1]);
  std::string text = pid.ok() ? read_all(ends[0]) : "";
  close(ends[0]);
  if (!pid.ok()) return pid.error();
  int status = 0;
  while (waitpid(pid.value(), &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return Error{Errc::invalid, text.empty() ? "hubd --check failed" : text};
}

Result<AddedDropIn> add_drop_in(const std::string& file, const DropIn& drop_in) {
  struct stat owner {};
  if (stat(file.c_str(), &owner) != 0)
    return os_error(errno == ENOENT ? Errc::not_found : Errc::io, "the hub's file " + file, errno);
  const std::string directory = file + ".d";
  const std::string path = directory + "/" + drop_in.name + ".yaml";
  if (access(path.c_str(), F_OK) == 0) return Error{Errc::busy, path + " exists already"};
  if (Status made = make_directory(directory, owner); !made.ok()) return made.error();
  // The hub reads no names that begin with a dot.
  TemporaryFile fresh(directory + "/." + drop_in.name + ".XXXXXX");
  if (Status written = fresh.write(drop_in.content, drop_in.secret ? secret_mode(owner) : 0644);
      !written.ok())
    return written.error();
  if (Status given = fresh.belongs_to(owner); !given.ok()) return given.error();
  AddedDropIn added{path, ""};
  const Result<std::string> with = check_hub_file(file, {fresh.path()});
  if (with.ok()) {
    added.note = with.value();
  } else {
    const Result<std::string> without = check_hub_file(file, {});
    if (without.ok() || without.error().text != with.error().text) return with.error();
    added.note = with.error().text + "\nThe hub refuses this file, before as after; put that right first.\n";
  }
  if (Status there = fresh.become(path); !there.ok()) return there.error();
  return added;
}

}  // namespace mayfly::cli
