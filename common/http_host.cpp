#include "common/http_host.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

namespace mayfly {
namespace {

/// A numeric address in one form: IPv4 as mapped into IPv6. False: a name.
bool parse_numeric(const std::string& text, std::array<unsigned char, 16>& out) {
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    out = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
    std::memcpy(out.data() + 12, &v4, sizeof(v4));
    return true;
  }
  return inet_pton(AF_INET6, text.c_str(), out.data()) == 1;
}

bool is_loopback(const std::array<unsigned char, 16>& address) {
  static constexpr std::array<unsigned char, 16> kV6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  static constexpr std::array<unsigned char, 13> kV4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
  return address == kV6 || std::equal(kV4.begin(), kV4.end(), address.begin());
}

bool is_port(std::string_view text) {
  return text.empty() ||
         (text[0] == ':' && text.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

}  // namespace

std::string bare_host(std::string_view host) {
  std::size_t end = 0;
  std::string_view name;
  if (!host.empty() && host[0] == '[') {
    end = host.find(']');
    if (end == std::string_view::npos) return {};
    name = host.substr(1, end - 1);
    ++end;
  } else {
    end = std::min(host.find(':'), host.size());
    name = host.substr(0, end);
  }
  if (!is_port(host.substr(end))) return {};
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  std::string out(name);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool host_is_allowed(std::string_view host, std::string_view local_address,
                     const std::vector<std::string>& allowed) {
  const std::string name = bare_host(host);
  if (name.empty()) return false;
  if (name == "localhost") return true;
  std::array<unsigned char, 16> address{};
  std::array<unsigned char, 16> local{};
  if (parse_numeric(name, address)) {
    if (is_loopback(address)) return true;
    if (parse_numeric(std::string(local_address), local) && local == address) return true;
  }
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& entry) { return bare_host(entry) == name; });
}

}  // namespace mayfly
