#include "shm/quotas.h"

namespace mayfly::shm {

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::log:
      return "log";
    case Kind::status:
      return "status";
    case Kind::none:
      break;
  }
  return "none";
}

bool valid_directory_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  const auto word = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (!word(name.front())) return false;
  for (const char c : name) {
    if (!word(c) && c != '.' && c != '-') return false;
  }
  return true;
}

}  // namespace mayfly::shm
