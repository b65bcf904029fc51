#include "shm/result.h"

#include <system_error>

namespace mayfly::shm {

const char* errc_name(Errc code) {
  switch (code) {
    case Errc::not_found:
      return "not_found";
    case Errc::not_ready:
      return "not_ready";
    case Errc::wrong_version:
      return "wrong_version";
    case Errc::corrupt:
      return "corrupt";
    case Errc::not_memory_backed:
      return "not_memory_backed";
    case Errc::untrusted:
      return "untrusted";
    case Errc::no_space:
      return "no_space";
    case Errc::busy:
      return "busy";
    case Errc::invalid:
      return "invalid";
    case Errc::io:
      return "io";
  }
  return "unknown";
}

Error os_error(Errc code, const std::string& doing, int error_number) {
  return {code, doing + ": " + std::generic_category().message(error_number)};
}

}  // namespace mayfly::shm
