#include "hubd/tunnel_id.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace mayfly::hubd {
namespace {

constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void fill_random(std::array<unsigned char, 10>& bytes) {
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t size = getrandom(bytes.data() + have, bytes.size() - have, 0);
    if (size > 0) {
      have += static_cast<std::size_t>(size);
    } else if (errno != EINTR) {
      std::abort();  // a kernel without random numbers: no id would be safe
    }
  }
}

}  // namespace

std::string make_tunnel_id(std::uint64_t wall_ms) {
  std::array<unsigned char, 10> random{};
  fill_random(random);
  std::string id(26, '0');
  for (std::size_t i = 0; i < 10; ++i) {
    id[9 - i] = kCrockford[(wall_ms >> (5 * i)) & 31];
  }
  // 80 bits are 16 digits: five bytes make eight.
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 5; ++i) bits = bits << 8 | random[half * 5 + i];
    for (std::size_t i = 0; i < 8; ++i) {
      id[10 + half * 8 + i] = kCrockford[(bits >> (35 - 5 * i)) & 31];
    }
  }
  return id;
}

}  // namespace mayfly::hubd
