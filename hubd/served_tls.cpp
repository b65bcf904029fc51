#include "hubd/served_tls.h"

#include <sys/stat.h>

#include <initializer_list>

namespace mayfly::hubd {

std::string look_at_tls_files(const std::optional<TlsFiles>& tls) {
  if (!tls) return {};
  std::string text;
  for (const std::string& path : {tls->certificate, tls->key}) {
    struct stat info {};
    text += path + "\n";
    if (stat(path.c_str(), &info) != 0) continue;
    for (const auto number :
         {static_cast<long long>(info.st_dev), static_cast<long long>(info.st_ino),
          static_cast<long long>(info.st_size), static_cast<long long>(info.st_mode),
          static_cast<long long>(info.st_mtim.tv_sec), static_cast<long long>(info.st_mtim.tv_nsec)}) {
      text += std::to_string(number) + " ";
    }
  }
  return text;
}

shm::Result<ServedTls> load_tls(const std::optional<TlsFiles>& tls) {
  ServedTls served;
  if (!tls) return served;
  served.files = look_at_tls_files(tls);  // before the reading: a change during it shows later
  shm::Result<std::shared_ptr<TlsContext>> context = TlsContext::load(tls->certificate, tls->key);
  if (!context.ok()) return shm::Error{shm::Errc::invalid, tls->place + context.error().text};
  served.context = std::move(context.value());
  return served;
}

}  // namespace mayfly::hubd
