#include "common/yaml_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>

#include "common/yaml_tree.h"

namespace mayfly {
namespace {

using shm::Errc;
using shm::Error;
using shm::os_error;
using shm::Result;
using shm::Status;

/// A file descriptor that is closed at the end of its scope.
struct OpenFile {
  int fd = -1;
  ~OpenFile() {
    if (fd >= 0) close(fd);
  }
};

struct FileContents {
  std::shared_ptr<const YamlSource> source;
  std::string text;
};

Result<FileContents> read_file(const std::string& path) {
  // Without O_NONBLOCK a FIFO in the file's place would hold us for ever.
  const OpenFile file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return os_error(errno == ENOENT ? Errc::not_found : Errc::io, "opening " + path, errno);
  struct stat info {};
  if (fstat(file.fd, &info) != 0) return os_error(Errc::io, "looking at " + path, errno);
  if (!S_ISREG(info.st_mode)) return Error{Errc::io, path + " is not a file"};
  FileContents contents{std::make_shared<const YamlSource>(
                            YamlSource{path, info.st_uid, static_cast<mode_t>(info.st_mode & 07777)}),
                        ""};
  char buffer[65536];
  for (;;) {
    const ssize_t size = read(file.fd, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return os_error(Errc::io, "reading " + path, errno);
    if (size == 0) return contents;
    contents.text.append(buffer, static_cast<std::size_t>(size));
    if (contents.text.size() > kMaxYamlFileBytes)
      return Error{Errc::invalid, path + ":1:1: larger than 16 MiB"};
  }
}

/// The *.yaml of a directory, by name; none when there is no such directory.
Result<std::vector<std::string>> list_drop_ins(const std::string& directory) {
  std::vector<std::string> paths;
  DIR* const dir = opendir(directory.c_str());
  if (dir == nullptr) {
    if (errno == ENOENT || errno == ENOTDIR) return paths;
    return os_error(Errc::io, "opening " + directory, errno);
  }
  errno = 0;
  while (const dirent* entry = readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with('.') && name.ends_with(".yaml"))
      paths.push_back(directory + "/" + std::string(name));
    errno = 0;
  }
  const int error_number = errno;
  closedir(dir);
  if (error_number != 0) return os_error(Errc::io, "reading " + directory, error_number);
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<YamlValue> read_root(const std::string& text, const std::shared_ptr<const YamlSource>& source) {
  Result<YamlValue> root = parse_yaml_tree(text, source);
  if (root.ok() && root.value().type != YamlValue::Type::map) {
    return root.value().place.error("a map of settings (`key: value`) is needed here");
  }
  return root;
}

/// Adds a drop-in's settings to `root`.
Status merge(YamlValue& root, YamlValue added) {
  for (YamlValue::Entry& entry : added.entries) {
    const auto same = std::find_if(root.entries.begin(), root.entries.end(),
                                   [&](const YamlValue::Entry& other) { return other.key == entry.key; });
    if (same == root.entries.end()) {
      root.entries.push_back(std::move(entry));
    } else if (same->value.type == YamlValue::Type::list && entry.value.type == YamlValue::Type::list) {
      std::move(entry.value.items.begin(), entry.value.items.end(), std::back_inserter(same->value.items));
    } else {
      return entry.key_place.error("duplicate key `" + entry.key + "`, first at " + same->key_place.text());
    }
  }
  return {};
}

}  // namespace

std::string YamlPlace::text() const {
  return (source ? source->path : std::string("?")) + ":" + std::to_string(line) + ":" +
         std::to_string(column);
}

Error YamlPlace::error(const std::string& message) const { return {Errc::invalid, text() + ": " + message}; }

Result<YamlFile> load_yaml_file(const std::string& path, const std::vector<std::string>& more) {
  Result<std::vector<std::string>> drop_ins = list_drop_ins(path + ".d");
  if (!drop_ins.ok()) return drop_ins.error();
  YamlFile file;
  file.files.push_back(path);
  file.files.insert(file.files.end(), drop_ins.value().begin(), drop_ins.value().end());
  file.files.insert(file.files.end(), more.begin(), more.end());
  for (const std::string& name : file.files) {
    Result<FileContents> contents = read_file(name);
    if (!contents.ok()) return contents.error();
    Result<YamlValue> root = read_root(contents.value().text, contents.value().source);
    if (!root.ok()) return root.error();
    if (name == path) {
      file.root = std::move(root.value());
    } else if (Status merged = merge(file.root, std::move(root.value())); !merged.ok()) {
      return merged.error();
    }
  }
  return file;
}

Result<YamlFile> parse_yaml_text(std::string_view text, const std::string& name) {
  Result<YamlValue> root =
      read_root(std::string(text), std::make_shared<const YamlSource>(YamlSource{name, geteuid(), 0600}));
  if (!root.ok()) return root.error();
  return YamlFile{std::move(root.value()), {name}};
}

Status require_private(const YamlValue& value) {
  const YamlSource& source = *value.place.source;
  if (source.owner != geteuid())
    return value.place.error("a secret in a file of another user; make it yours");
  if ((source.mode & ~static_cast<mode_t>(0600)) != 0) {
    char mode[16];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(source.mode));
    return value.place.error("a secret in a file of mode " + std::string(mode) + "; chmod 0600 " +
                             source.path);
  }
  return {};
}

}  // namespace mayfly
