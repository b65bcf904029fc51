#include "hubd/file_watch.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace mayfly::hubd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSettle{40};
constexpr unsigned kMaxLooks = 12;  // then a file that is still changing is read all the same
constexpr milliseconds kFallback{500};

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// The path without symbolic links; empty where it leads nowhere.
std::string resolved(const std::string& path) {
  char* const real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return {};
  std::string text = real;
  std::free(real);
  return text;
}

void append_identity(std::string& out, const std::string& path) {
  struct stat info {};
  out += path;
  if (stat(path.c_str(), &info) != 0) {
    out += " absent\n";
    return;
  }
  for (const auto number :
       {static_cast<long long>(info.st_dev), static_cast<long long>(info.st_ino),
        static_cast<long long>(info.st_size), static_cast<long long>(info.st_mtim.tv_sec),
        static_cast<long long>(info.st_mtim.tv_nsec), static_cast<long long>(info.st_ctim.tv_sec),
        static_cast<long long>(info.st_ctim.tv_nsec)}) {
    out += " " + std::to_string(number);
  }
  out += "\n";
}

}  // namespace

struct FileWatch::Watch {
  uv_fs_event_t event;
  FileWatch* owner;

  void close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&event),
             [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
  }
};

FileWatch::FileWatch(uv_loop_t* loop, std::string file, std::function<void()> changed)
    : loop_(loop),
      file_(std::move(file)),
      changed_(std::move(changed)),
      settle_(loop, [this] { look(); }),
      fallback_(loop, [this] { on_news(); }) {
  watch_directories();
  seen_ = counted_ = signature();
}

FileWatch::~FileWatch() {
  for (Watch* watch : watches_) watch->close();
}

std::string FileWatch::signature() const {
  std::string out;
  append_identity(out, file_);
  // The directory's identity too, or drop-ins of one that is made later were not watched.
  if (struct stat info{}; stat((file_ + ".d").c_str(), &info) == 0) out += std::to_string(info.st_ino) + "\n";
  std::vector<std::string> names;
  if (DIR* const dir = opendir((file_ + ".d").c_str()); dir != nullptr) {
    while (const dirent* entry = readdir(dir)) {
      const std::string_view name = entry->d_name;
      if (!name.starts_with('.') && name.ends_with(".yaml")) names.emplace_back(name);
    }
    closedir(dir);
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) append_identity(out, file_ + ".d/" + name);
  return out;
}

void FileWatch::watch_directories() {
  std::vector<std::string> directories = {directory_of(file_), file_ + ".d"};
  if (const std::string real = resolved(file_); !real.empty()) directories.push_back(directory_of(real));
  std::vector<Watch*> watches;
  for (const std::string& directory : directories) {
    auto* const watch = new Watch{{}, this};
    uv_fs_event_init(loop_, &watch->event);
    watch->event.data = watch;
    const auto news = [](uv_fs_event_t* event, const char*, int, int) {
      static_cast<Watch*>(event->data)->owner->on_news();
    };
    if (uv_fs_event_start(&watch->event, news, directory.c_str(), 0) == 0) {
      watches.push_back(watch);
    } else {
      watch->close();  // not there, or no more watches to be had
    }
  }
  for (Watch* watch : watches_) watch->close();
  watches_ = std::move(watches);
  if (watches_.empty()) {
    fallback_.start(kFallback, kFallback);
  } else {
    fallback_.stop();
  }
}

void FileWatch::on_news() {
  if (looking_) return;
  looking_ = true;
  looks_ = 0;
  settle_.start(kSettle, kSettle);
}

void FileWatch::look() {
  const std::string now = signature();
  const bool settled = now == seen_ || ++looks_ >= kMaxLooks;
  seen_ = now;
  if (!settled) return;
  settle_.stop();
  looking_ = false;
  if (now == counted_) return;
  counted_ = now;
  // A drop-in directory may have come or gone, or a symbolic link have turned elsewhere.
  watch_directories();
  changed_();
}

}  // namespace mayfly::hubd
