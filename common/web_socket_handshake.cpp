#include "common/web_socket_handshake.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/http_framing.h"
#include "common/text.h"

namespace mayfly {
namespace {

constexpr std::string_view kAcceptSalt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, section 1.3
constexpr std::size_t kKeyChars = 24;                                             // 16 bytes in base64

/// True where the comma-separated list `header` has `token`, in any letter case.
bool lists_token(const std::string* header, std::string_view token) {
  if (header == nullptr) return false;
  std::string_view rest = *header;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string_view item = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const std::size_t begin = std::min(item.find_first_not_of(" \t"), item.size());
    item = item.substr(begin, item.find_last_not_of(" \t") + 1 - begin);
    if (to_lower(item) == token) return true;
  }
  return false;
}

/// 16 bytes in base64.
bool is_key(std::string_view key) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return key.size() == kKeyChars && key.substr(kKeyChars - 2) == "==" &&
         key.find_first_not_of(kAlphabet) == kKeyChars - 2;
}

std::string accept_value(std::string_view key) {
  std::string salted(key);
  salted += kAcceptSalt;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(salted.data(), salted.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) return {};
  return base64_encode({reinterpret_cast<const char*>(digest.data()), size});
}

/// `host` in lower case without `default_port`.
std::string bare_authority(std::string_view host, std::string_view default_port) {
  std::string out = to_lower(host);
  const std::string suffix = ":" + std::string(default_port);
  if (out.size() > suffix.size() && out.ends_with(suffix)) out.resize(out.size() - suffix.size());
  return out;
}

}  // namespace

bool is_same_origin(std::string_view origin, std::string_view host) {
  const std::string lower = to_lower(origin);
  for (const auto& [scheme, port] : {std::pair<std::string_view, std::string_view>("https://", "443"),
                                     std::pair<std::string_view, std::string_view>("http://", "80")}) {
    if (!std::string_view(lower).starts_with(scheme)) continue;
    return !host.empty() &&
           bare_authority(std::string_view(lower).substr(scheme.size()), port) == bare_authority(host, port);
  }
  return false;
}

HandshakeVerdict judge_handshake(const HttpRequest& request) {
  const auto refused = [](int status, std::string_view code, std::string_view detail) {
    return HandshakeVerdict{status, {}, code, detail};
  };
  const bool asks = lists_token(request.header("upgrade"), "websocket");
  if (!asks) return refused(426, "websocket_required", "this resource is read by WebSocket");
  if (request.method != "GET") return refused(400, "bad_handshake", "a WebSocket is opened by GET");
  if (!lists_token(request.header("connection"), "upgrade")) {
    return refused(400, "bad_handshake", "Connection does not name Upgrade");
  }
  const std::string* version = request.header("sec-websocket-version");
  if (version == nullptr || *version != "13") {
    return refused(426, "websocket_version", "WebSocket version 13 only");
  }
  const std::string* key = request.header("sec-websocket-key");
  if (key == nullptr || !is_key(*key)) return refused(400, "bad_handshake", "Sec-WebSocket-Key is no key");
  const std::string* origin = request.header("origin");
  const std::string* host = request.header("host");
  if (origin != nullptr && (host == nullptr || !is_same_origin(*origin, *host))) {
    return refused(403, "foreign_origin", "a page of another origin may not open a WebSocket here");
  }
  return {101, accept_value(*key), {}, {}};
}

}  // namespace mayfly
